"""The registry's table against a list that is searched from end to end."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from supervisors.registry.table import RegistryTable, Row

KEYS = st.integers(0, 3)
HOLDERS = st.sampled_from("abcd")


class TableMachine(RuleBasedStateMachine):
    """Whatever is done to it, in whatever order, both indexes and the count tell the same."""

    @initialize()
    def begin(self):
        self.table = RegistryTable()
        self.rows = []

    @rule(key=KEYS, holder=HOLDERS)
    def insert(self, key, holder):
        row = Row(key, holder, None)
        assert self.table.insert(row) is not any(r.process == holder for r in self.rows)
        self.rows.append(row)

    @rule(key=KEYS, holder=HOLDERS, data=st.data())
    def remove_some(self, key, holder, data):
        rows = self.of(key, holder)
        assert self.table.of_both(key, holder) == rows
        for row in rows:
            if data.draw(st.booleans()):
                self.rows.remove(row)
                assert self.table.remove(row) is not any(r.process == holder for r in self.rows)

    @rule(holder=HOLDERS)
    def remove_process(self, holder):
        self.table.remove_process(holder)
        self.rows = [row for row in self.rows if row.process != holder]

    @rule()
    def clear(self):
        self.table.clear()
        self.rows = []

    @invariant()
    def all_tell_the_same(self):
        if not hasattr(self, "table"):
            return
        table, rows = self.table, self.rows
        assert len(table) == len(rows)
        assert set(table) == set(rows)
        assert set(table.processes) == {row.process for row in rows}
        for key in range(4):
            assert table.of_key(key) == [row for row in rows if row.key == key]
            assert table.first(key) == next((row for row in rows if row.key == key), None)
        for holder in "abcd":
            assert table.of_process(holder) == [row for row in rows if row.process == holder]
        assert all(table._by_key.values())
        assert all(table._by_process.values())

    def of(self, key, holder):
        return [row for row in self.rows if row.key == key and row.process == holder]


TestTable = TableMachine.TestCase
TestTable.settings = settings(max_examples=50, stateful_step_count=30)


class NotToBeSearched(dict):
    def __iter__(self):
        raise AssertionError("searched from end to end")


def test_what_a_process_has_is_found_without_looking_at_the_others():
    table = RegistryTable()
    rows = [Row("topic", holder, None) for holder in "abcd"]
    for row in rows:
        table.insert(row)
    table._by_key["topic"] = NotToBeSearched(table._by_key["topic"])
    assert table.of_both("topic", "d") == [rows[3]]
    assert table.of_process("d") == [rows[3]]
    table.remove_process("d")
    assert len(table) == 3


def test_one_of_many_keys_of_a_process_is_found_without_looking_at_the_others():
    table = RegistryTable()
    rows = [Row(key, "a", None) for key in range(4)]
    for row in rows:
        table.insert(row)
    table._by_process["a"] = NotToBeSearched(table._by_process["a"])
    assert table.of_both(3, "a") == [rows[3]]
    assert table.remove(rows[3]) is False


def test_nobody_has_no_rows():
    table = RegistryTable()
    table.insert(Row("key", object(), None))
    assert table.of_process(None) == table.of_both("key", None) == []
