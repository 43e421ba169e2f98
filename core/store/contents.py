"""`README.md` of a survey's folder: what each file and column is."""

__all__ = ["CONTENTS"]

CONTENTS = """# A survey by crosslens

What many images say about a network. `crosslens.load(FOLDER)` opens this folder in Python. Every file opens without
crosslens as well: tables with pandas, DuckDB and others (`SELECT * FROM 'images.parquet'`), arrays with NumPy.

- `images.parquet`: a line for each image of the data, see below.
- `thumbnails/00000.jpg`, `00001.jpg`, ...: small pictures of the images, 256 a sheet, 16 in a row, in the order of the
  images; the places of those that could not be read are white. Volumes have none.
- `METHOD/result.npz`: the result of a method, whole: `crosslens.load(FOLDER)["METHOD"]`.
- `METHOD/*.parquet`, `METHOD/*.png`: its tables and sheets, where it has them; `files.json` lists them.
- `rows/NAME.npy`: a row of numbers for each image, at its index, `numpy.load(file, mmap_mode="r")`; NaN, of whole
  numbers 0, where the image could not be read. `rows/index.npy`: the indices of those that could.
- `manifest.json`: the network, the data, the methods with their parameters, versions of code and packages, threads,
  sizes of shards and batches, type of processor: what decides every bit.
- `states/`: what was gathered, from which more methods are computed without reading the images again.
- `log.jsonl`: when, where and how long the sweeps ran.

## Columns of images.parquet

- `index` (int64): the image's place in the data, from 0.
- `id` (string): its name; of a folder the path inside it.
- `label` (string): what the data says that it shows; empty where nothing is said.
- `class` (int64): the class that the network predicts, from 0; -1 where there is none.
- `predicted` (string): the name of that class; empty where it has none.
- `score` (double): its probability, or the network's one score where it has no classes; NaN where there is none.
- `failure` (string): why the image could not be read; empty where it could.
- `thumbnail` (string): the sheet that holds its thumbnail; empty where there is none. No such columns for volumes.
- `thumbnail_x`, `thumbnail_y` (int64): pixels from the sheet's left and upper edge to the thumbnail; -1 for none.
- `thumbnail_side` (int64): the thumbnail's width and height in pixels.

No value is missing (null): an empty text, -1 and NaN stand for what there is not. Tables of methods have a line for
each unit or position; `crosslens methods METHOD` says what the method measures.
"""
