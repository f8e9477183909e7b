"""What threads ask for at the same moment is done in one go."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from opsapp.kernel import gathering
from opsapp.kernel.gathering import Gathering


class Desk:
    """Holds its first round until `count` others wait, and notes who was served with whom."""

    def __init__(self, count: int, *, at_most: int = 100) -> None:
        self.gathering = Gathering(self.do, alike=lambda wish: wish[0], at_most=at_most)
        self.count, self.rounds, self.is_begun = count, [], Event()

    def do(self, wishes):
        if not self.rounds:
            self.is_begun.set()
            self.rounds.append(wishes)
            with self.gathering._desk:
                while len(self.gathering._waiting) < self.count:
                    self.gathering._desk.wait(0.01)
        else:
            self.rounds.append(wishes)
        if ("a", 99) in wishes:
            raise ValueError("of one of them")
        return [None if number == 50 else f"{kind}{number}" for kind, number in wishes]


def served(wishes, **more):
    desk = Desk(len(wishes), **more)
    with ThreadPoolExecutor(len(wishes) + 1) as threads:
        first = threads.submit(desk.gathering.ask, ("a", 0))
        desk.is_begun.wait(10)
        answers = list(threads.map(desk.gathering.ask, wishes))
        assert first.result() == "a0"
    return desk.rounds[1:], answers


def test_who_comes_meanwhile_is_served_together_with_those_of_the_same_kind(monkeypatch):
    monkeypatch.setattr(gathering, "LINGER_S", 0)
    rounds, answers = served([("a", 1), ("b", 2), ("a", 50), ("a", 3)])
    assert answers == ["a1", "b2", None, "a3"]
    assert sorted(sorted(each) for each in rounds) == [[("a", 1), ("a", 3), ("a", 50)], [("b", 2)]]


def test_no_round_is_larger_than_it_may_be():
    rounds, answers = served([("a", n) for n in range(1, 6)], at_most=2)
    assert answers == [f"a{n}" for n in range(1, 6)]
    assert [len(each) for each in rounds] == [2, 2, 1]


def test_after_a_fault_everybody_of_that_round_goes_alone():
    rounds, answers = served([("a", 1), ("a", 99), ("b", 2)])
    assert answers == [None, None, "b2"]
    assert len(rounds) == 2
