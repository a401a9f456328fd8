"""Put together the page of this folder: an exported network, ONNX Runtime for browsers, the page.

Needs npm, which downloads onnxruntime-web from the npm registry. Then, for example:

    python examples/phone/build.py
    python -m http.server --directory examples/phone/dist
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from lesionseg.errors import LesionsegError
from lesionseg.export import ExportOptions, export_checkpoint
from lesionseg.inference import ExportedPredictor

HERE = Path(__file__).resolve().parent
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
OUTPUT = HERE / "dist"


def write_model(model: str, folder: Path) -> None:
    """Write the network, and how it is used, which browsers cannot read from its file."""
    path = folder / "model.onnx"
    if model.endswith(".onnx"):
        shutil.copyfile(model, path)
    else:
        export_checkpoint(model, path, ExportOptions(format="onnx"))
    metadata = ExportedPredictor(path).metadata
    about = {
        "size": metadata.size,
        "threshold": metadata.threshold,
        "input": metadata.input,
        "name": Path(model).stem,
        "version": metadata.version,
    }
    (folder / "model.json").write_text(json.dumps(about), encoding="utf-8")


def copy_runtime(folder: Path) -> None:
    """Download ONNX Runtime for browsers, of the version in package.json, and copy what is used."""
    npm = shutil.which("npm")
    if npm is None:
        raise LesionsegError("npm is not installed; install Node.js, which contains it.")
    with tempfile.TemporaryDirectory() as temporary:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / name, Path(temporary) / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=temporary, capture_output=True, text=True)
        if done.returncode:
            raise LesionsegError(f"npm could not download onnxruntime-web:\n{done.stderr.strip()}")
        for name in RUNTIME:
            source = Path(temporary) / "node_modules" / "onnxruntime-web" / "dist" / name
            shutil.copyfile(source, folder / name)


def list_files(folder: Path) -> None:
    """Write what the service worker keeps, under a version that changes with every byte."""
    digest = hashlib.sha256()
    names = sorted(path.name for path in folder.iterdir() if path.name != "sw.js")
    for name in [*names, "sw.js"]:
        digest.update(name.encode() + (folder / name).read_bytes())
    text = (
        f'self.VERSION = "{digest.hexdigest()[:16]}";\nself.FILES = {json.dumps(["./", *names])};\n'
    )
    (folder / "files.js").write_text(text, encoding="utf-8")


def build(model: str, output: Path) -> None:
    """Build the page into a folder; files that it already holds are replaced at the end."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "page"
        shutil.copytree(HERE / "page", folder)
        copy_runtime(folder)
        write_model(model, folder)
        list_files(folder)
        shutil.copytree(folder, output, dirs_exist_ok=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--model",
        default="mobilegan",
        help="a pretrained model, a checkpoint, or an .onnx file of lesionseg export "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--output", default=OUTPUT, type=Path, metavar="DIR", help="default: dist here"
    )
    arguments = parser.parse_args()
    try:
        build(arguments.model, arguments.output)
    except (LesionsegError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Built {arguments.output}; now: python -m http.server --directory {arguments.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
