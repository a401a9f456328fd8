"""The page of ``lesionseg app`` as a Hugging Face Space."""

from lesionseg.app.page import build_app, launch

if __name__ == "__main__":
    launch(build_app(), host="0.0.0.0", port=7860)  # a Space is reached from outside
