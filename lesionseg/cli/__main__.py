"""``python -m lesionseg.cli`` runs the program, also where its script is not on the path."""

from lesionseg.cli.main import program

if __name__ == "__main__":
    program()
