"""How many restarts a supervisor allows: by the number of its children, unless the config says."""

from nexus_actors.settings import Settings, parse_settings


def test_two_for_each_child_in_a_second_for_each() -> None:
    cases = [
        (0, {}, (3, 5.0)),
        (1, {}, (3, 5.0)),
        (2, {}, (4, 5.0)),
        (8, {}, (16, 8.0)),
        (102, {}, (204, 102.0)),
        (102, {"max_restarts": 7}, (7, 102.0)),
        (102, {"max_restarts": 0}, (0, 102.0)),
        (102, {"max_seconds": 1.5}, (204, 1.5)),
        (1, {"max_restarts": 50, "max_seconds": 60}, (50, 60.0)),
    ]
    wrong = []
    for children, given, limits in cases:
        settings = parse_settings({"supervision": given}, {})
        if not (isinstance(settings, Settings) and settings.supervision.limits(children) == limits):
            wrong.append((children, given, limits, settings))
    assert not wrong, "\n".join(map(repr, wrong))
