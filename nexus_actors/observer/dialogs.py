"""Modal windows: a confirmation, a question, a text, a choice of column."""

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from nexus_actors.contract.shown_text import printable, readable
from nexus_actors.observer.source import Action

T = TypeVar("T")
LONGEST = 65_536
"""The most characters of a text that are shown."""
LONGEST_FORM = 600
"""The most characters of a statement or a command that are shown."""


def _form(text: str) -> str:
    return readable(text if len(text) <= LONGEST_FORM else f"{text[:LONGEST_FORM]}…")


class Confirm(ModalScreen[bool]):
    """Asks for confirmation of an action, and shows its command and SQL. True if confirmed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape,q", "dismiss(False)", "No"),
    ]

    def __init__(self, action: Action) -> None:
        super().__init__()
        self._action = action

    def compose(self) -> ComposeResult:
        """The question, the command and SQL, the buttons."""
        with Vertical(classes="dialog"):
            yield Static(Text(readable(self._action.question)), classes="question")
            # A long statement is scrolled, so that the buttons stay visible.
            with VerticalScroll(classes="forms"):
                yield Static(Text(f"CLI  {_form(self._action.cli)}"), classes="form")
                if self._action.sql:
                    yield Static(Text(f"SQL  {_form(self._action.sql)}"), classes="form")
            with Horizontal(classes="buttons"):
                yield Button("Yes (y)", id="yes")
                yield Button("No (n)", id="no")

    def on_mount(self) -> None:
        """Focus No, so that Enter alone does no harm."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """Do as the keys do."""
        self.dismiss(event.button.id == "yes")


class Ask(ModalScreen[str | None]):
    """Asks for a value; None if the user cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self._question, self._value, self._hint = question, value, hint

    def compose(self) -> ComposeResult:
        """The question, and an input."""
        with Vertical(classes="dialog"):
            yield Label(Text(printable(self._question)), classes="question")
            yield Input(self._value, placeholder=self._hint, max_length=200)
            yield Label("Enter takes it, Esc leaves all as it is", classes="form")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Return the value."""
        self.dismiss(event.value.strip())


class Reading(ModalScreen[None]):
    """Shows a text of several lines."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._heading, self._read = title, text

    def compose(self) -> ComposeResult:
        """The heading, and the text, which scrolls."""
        text = self._read
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}… {len(text) - LONGEST:,} characters more"
        with Vertical(classes="dialog tall"):
            yield Static(Text(printable(self._heading, 200)), classes="question")
            with VerticalScroll():
                yield Static(Text(readable(text)))

    def on_mount(self) -> None:
        """Focus the text, so that arrow keys scroll it."""
        self.query_one(VerticalScroll).focus()


class ChooseColumn(ModalScreen[int | None]):
    """Asks for a column to sort by, as a digit or a row of the list; None if the user cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Cancel")]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    def compose(self) -> ComposeResult:
        """The columns with their digits."""
        with Vertical(classes="dialog"):
            yield Label("Sort by", classes="question")
            yield OptionList(
                *(Option(Text(f"{place}  {name}")) for place, name in enumerate(self._names, 1))
            )

    def on_key(self, event: Key) -> None:
        """Choose by a digit, and stop the event, since digits also select tabs."""
        if event.key.isdecimal() and 1 <= int(event.key) <= len(self._names):
            event.stop()
            event.prevent_default()
            self.dismiss(int(event.key) - 1)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Choose the row."""
        self.dismiss(event.option_index)
