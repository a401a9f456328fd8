"""The two papers' tables of results, typed off a second time, row by row as they are printed.

Columns are two spaces apart or more; ``-`` and a backslash stand where the paper has no figure.
"""

import re

#: ASNet, Table 2: Jaccard, Dice and accuracy in per cent, mean and standard deviation.
ASNET_TABLE_2 = r"""
U-Net                   78.70±0.317   86.58±0.376   95.06±0.251
MultiResU-Net           80.30±0.372   \             \
Baseline                81.12±0.551   87.90±0.561   95.69±0.617
Baseline _ASM_w/o_DI    81.56±0.353   88.25±0.433   95.80±0.305
Baseline _ASM_w/o_SA    81.79±0.425   88.46±0.532   95.92±0.359
Baseline_Wide           81.73±0.376   88.41±0.438   95.90±0.342
ASNet                   82.15±0.328   88.88±0.390   96.00±0.228
"""

#: MobileGAN, Table 1: accuracy, Dice, Jaccard, sensitivity and specificity in per cent, and the
#: parameters in millions.
MOBILEGAN_TABLE_1 = """
FCN        92.72  83.83  72.17  79.98  96.66  134.3
U-Net      90.14  76.27  61.64  67.15  97.24  12.3
SegNet     91.76  82.09  69.63  80.05  95.37  11.5
FrCN       94.03  87.08  77.11  85.40  96.69  16.3
SLSDeep    93.6   87.8   78.2   81.6   98.3   46.65
SegAN      94.1   86.7   78.5   -      -      382.17
Proposed   97.61  87.63  77.98  78.50  99.92  2.35
"""

#: MobileGAN, Table 2: thresholded Jaccard in per cent, and the parameters in millions.
MOBILEGAN_TABLE_2 = """
FCN        74.70  134.3
U-Net      54.4   12.3
SegNet     69.50  11.5
FrCN       74.60  16.3
GAN-FCN    77.80  10.61
Proposed   78.4   2.35
"""

#: What the package calls the papers' rows where it has other names.
OURS = {
    "MultiResU-Net": "MultiResUNet",
    "Baseline _ASM_w/o_DI": "ASM without dilation",
    "Baseline _ASM_w/o_SA": "ASM without SAM",
    "Baseline_Wide": "Baseline, wide",
    "Proposed": "MobileGAN",
}


def rows(table, columns):
    """The figures of a table: for each row a dict of the columns that it has, as strings."""
    read = {}
    for line in table.strip().splitlines():
        name, *figures = re.split(r"\s{2,}", line)
        read[name] = {
            column: figure
            for column, figure in zip(columns, figures, strict=True)
            if figure not in ("-", "\\")
        }
    return read
