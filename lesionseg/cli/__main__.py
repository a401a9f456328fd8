"""Run the program as ``python -m lesionseg.cli``, also where its script is not on the path."""

from lesionseg.cli.main import program

if __name__ == "__main__":
    program()
