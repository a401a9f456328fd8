from .checkpoint import Export as Export
from .checkpoint import ExportOptions as ExportOptions
from .checkpoint import export_checkpoint as export_checkpoint
from .deployable import Deployable as Deployable
