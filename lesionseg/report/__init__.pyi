from .kinds import KINDS as KINDS
from .kinds import Kind as Kind
from .kinds import LesionDescription as LesionDescription
from .kinds import describe_lesion as describe_lesion
from .kinds import scores_by_kind as scores_by_kind
from .page import write_report as write_report
