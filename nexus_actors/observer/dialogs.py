"""What stands above the tabs for a while: a question, a text, a choice of column, the keys."""

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
"""Characters of a text that is shown."""
LONGEST_FORM = 600
"""Characters of a statement or a command."""


def _form(text: str) -> str:
    return readable(text if len(text) <= LONGEST_FORM else f"{text[:LONGEST_FORM]}…")


class Confirm(ModalScreen[bool]):
    """Asks once whether an action is meant, with how it is done by hand. True: it is."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "Yes"),
        Binding("n,escape,q", "dismiss(False)", "No"),
    ]

    def __init__(self, action: Action) -> None:
        super().__init__()
        self._action = action

    def compose(self) -> ComposeResult:
        """The question first."""
        with Vertical(classes="dialog"):
            yield Static(Text(readable(self._action.question)), classes="question")
            # The command is short; of a long statement the rest is scrolled to, above the buttons.
            with VerticalScroll(classes="forms"):
                yield Static(Text(f"CLI  {_form(self._action.cli)}"), classes="form")
                if self._action.sql:
                    yield Static(Text(f"SQL  {_form(self._action.sql)}"), classes="form")
            with Horizontal(classes="buttons"):
                yield Button("Yes (y)", id="yes")
                yield Button("No (n)", id="no")

    def on_mount(self) -> None:
        """Enter alone does nothing that cannot be undone."""
        self.query_one("#no", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """As the keys."""
        self.dismiss(event.button.id == "yes")


class Ask(ModalScreen[str | None]):
    """Asks for a value; None: none was given."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "Cancel")]

    def __init__(self, question: str, value: str = "", hint: str = "") -> None:
        super().__init__()
        self._question, self._value, self._hint = question, value, hint

    def compose(self) -> ComposeResult:
        """The question, and a line to write."""
        with Vertical(classes="dialog"):
            yield Label(Text(printable(self._question)), classes="question")
            yield Input(self._value, placeholder=self._hint, max_length=200)
            yield Label("Enter takes it, Esc leaves all as it is", classes="form")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Taken."""
        self.dismiss(event.value.strip())


class Reading(ModalScreen[None]):
    """A text of many lines, to be read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter", "dismiss(None)", "Close")]

    def __init__(self, title: str, text: str) -> None:
        super().__init__()
        self._heading, self._read = title, text

    def compose(self) -> ComposeResult:
        """It scrolls."""
        text = self._read
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}… {len(text) - LONGEST:,} characters more"
        with Vertical(classes="dialog tall"):
            yield Static(Text(printable(self._heading, 200)), classes="question")
            with VerticalScroll():
                yield Static(Text(readable(text)))

    def on_mount(self) -> None:
        """Arrow keys scroll."""
        self.query_one(VerticalScroll).focus()


class ChooseColumn(ModalScreen[int | None]):
    """Which column to sort by: a digit, or a row of the list."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "dismiss(None)", "Cancel")]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = names

    def compose(self) -> ComposeResult:
        """Each with its digit."""
        with Vertical(classes="dialog"):
            yield Label("Sort by", classes="question")
            yield OptionList(
                *(Option(Text(f"{place}  {name}")) for place, name in enumerate(self._names, 1))
            )

    def on_key(self, event: Key) -> None:
        """A digit chooses, here alone: it is a tab's key too."""
        if event.key.isdecimal() and 1 <= int(event.key) <= len(self._names):
            event.stop()
            event.prevent_default()
            self.dismiss(int(event.key) - 1)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """So does Enter."""
        self.dismiss(event.option_index)
