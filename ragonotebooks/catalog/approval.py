"""What a person has to look at before a step is executed, as its line **Approval:** says."""

import re

from ragonotebooks.catalog.notebook import Section
from ragonotebooks.errors import UsageError

LINE = re.compile(r"^\*\*Approval:\*\*(.*)$", re.MULTILINE)


def of(section: Section) -> str:
    """Why a person has to approve a section, as `**Approval:** what is deleted here is gone` says; empty for none.

    Raises:
        UsageError: The line says nothing, or there are two, or the section changes nothing, so that there is nothing to
            approve.
    """
    lines: list[str] = [line.strip() for line in LINE.findall(section.text)]
    if not lines:
        return ""
    if len(lines) > 1 or not lines[0]:
        raise UsageError(f"'{section.title}' asks for an approval; say why in one line: '**Approval:** …'")
    if not section.changes:
        raise UsageError(
            f"'{section.title}' asks for an approval but changes nothing; put the line into the step that has the change cell"
        )
    return lines[0]
