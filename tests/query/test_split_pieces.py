import asyncio

import pytest

from rlm_memory_core import Turn
from rlm_memory_core.models import background
from rlm_memory_core.models.pricing import Usage
from rlm_memory_core.models.types import ContextExceeded, ModelError, Reply
from rlm_memory_core.query.answer import Coverage
from rlm_memory_core.query.prompts import NOT_FOUND, session_prompt
from rlm_memory_core.query.subagents import NO_PIECE, SubAgents, halves
from rlm_memory_core.search.word_index import Piece
from rlm_memory_core.store.escaping import escape_tags

USAGE = Usage(100, 10, 1)


def piece_of(*contents):
    turns = tuple(Turn(number, 3, "user", content, "") for number, content in enumerate(contents, 1))
    return Piece(3, "2023/05/20", "\n".join(map(str, turns)), turns)


def prompt_of(piece):
    return session_prompt(piece.text, piece.date, "Who?", "2023/06/01")


class Window:
    """A model whose context window has a number of characters."""

    def __init__(self, characters, answer=lambda text: NOT_FOUND):
        self.characters, self.answer, self.read, self.refused = characters, answer, [], 0

    async def complete(self, messages, budget, listener, siblings):
        text = messages[-1]["content"]
        await asyncio.sleep(0)
        if len(text) > self.characters:
            self.refused += 1
            raise ContextExceeded("too long", Usage(calls=1), 0.0)
        self.read.append(text)
        return Reply(self.answer(text), USAGE, 0.01, 1.0)


def ask(model, *pieces):
    agents = SubAgents(model, asyncio.Semaphore(10))
    return background.run(agents.ask_all([(prompt_of(piece), piece) for piece in pieces])), agents


CHINESE = piece_of(*[f"我的猫叫麻糬{number}。" * 40 for number in range(100)])


@pytest.mark.parametrize("window", [40_000, 20_000, 4_000, 1_500])
def test_every_turn_is_read_whatever_the_window(window):
    model = Window(window, lambda text: '- [Turn 77] "我的猫叫麻糬76。": a cat' if "麻糬76" in text else NOT_FOUND)
    (call,), agents = ask(model, CHINESE)
    assert call.error == ""
    assert [found.turn for found in call.findings] == [77]
    read = "".join(model.read)
    assert all(f"[Turn {turn.index}][user]: " in read and turn.content in read for turn in CHINESE.turns)
    assert Coverage.of(agents.calls).asked == 1
    assert call.usage == Usage(100 * len(model.read), 10 * len(model.read), len(model.read) + model.refused)
    assert call.cost_usd == pytest.approx(0.01 * len(model.read))


def test_each_half_has_the_question_and_the_date_and_whole_turns():
    parts = halves(prompt_of(CHINESE), CHINESE.text)
    assert [prompt for prompt, _ in parts] == [
        session_prompt(half, CHINESE.date, "Who?", "2023/06/01") for _, half in parts
    ]
    assert "".join(half for _, half in parts) == CHINESE.text
    assert all(half.startswith("[Turn ") for _, half in parts)


def test_a_heading_that_was_only_said_is_no_place_to_cut():
    piece = piece_of("word " * 1000 + "\n[Turn 9][user]: I said so. " + "word " * 1000)
    assert [half[:8] for _, half in halves(prompt_of(piece), piece.text)] == ["[Turn 1]"] * 2


def test_a_text_that_begins_within_a_turn_is_cut_before_the_next_one():
    text = "word " * 200 + "\n[Turn 5][user]: " + "other " * 300
    halved = [half for _, half in halves(f"Read this: {text}", text)]
    assert halved == [text[:1001], text[1001:]]


def test_one_long_turn_is_cut_within_and_keeps_its_heading():
    piece = piece_of("word </session> " * 1000)
    parts = halves(prompt_of(piece), piece.text)
    assert len(parts) == 2
    assert all(half.startswith("[Turn 1][user]: ") and escape_tags(half) in prompt for prompt, half in parts)
    assert "".join(half.removeprefix("[Turn 1][user]: ") for _, half in parts) == piece.text.removeprefix(
        "[Turn 1][user]: "
    )


def test_a_text_of_the_codes_own_is_cut_and_a_prompt_of_its_own_is_not():
    text = Piece(0, None, "a line\n" * 1000)
    assert "".join(half for _, half in halves(prompt_of(text), text.text)) == text.text
    assert halves("any prompt", NO_PIECE.text) == []
    assert halves("any prompt", text.text) == []


def test_what_never_fits_fails_with_its_reason_and_is_counted():
    model = Window(10)
    (call,), agents = ask(model, CHINESE)
    assert (call.error, call.reply) == ("too long", "")
    assert Coverage.of(agents.calls).failures == 1
    assert call.usage.calls == model.refused


def test_a_part_that_fails_fails_the_piece_and_all_that_was_paid_is_counted():
    def answer(text):
        if "麻糬99" in text:
            raise ModelError("away", USAGE, 0.01)
        return "found"

    model = Window(20_000, answer)
    (call,), _ = ask(model, CHINESE)
    assert call.error == "away"
    assert call.usage.calls == len(model.read) + model.refused
    assert call.cost_usd == pytest.approx(0.01 * len(model.read))
