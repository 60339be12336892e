import pytest

from rlm_memory_core.query.parsing import Final, parse_message


def final_of(text):
    return parse_message(text).final


def blocks_of(text):
    return list(parse_message(text).blocks)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("FINAL(42 days)", "42 days"),
        ("I have seen enough.\n\nFINAL(in May)", "in May"),
        ("FINAL(Paris (France))", "Paris (France)"),
        ("FINAL(f(x) = (a + b) * (c))", "f(x) = (a + b) * (c)"),
        ("FINAL(two\nlines)", "two\nlines"),
        ("FINAL( padded text  )", "padded text"),
        ("FINAL()", ""),
        ('FINAL("in quotes")', "in quotes"),
        ("FINAL('in quotes')", "in quotes"),
        ('FINAL("""in quotes""")', "in quotes"),
        ('FINAL("it\'s")', "it's"),
        ("**FINAL(a cat)**", "a cat"),
        ("`FINAL(a cat)`", "a cat"),
        ("> FINAL(a cat)", "a cat"),
        ("   FINAL (a cat)", "a cat"),
        ("FINAL(a cat) and more words", "a cat"),
        ("FINAL(first one)\nFINAL(second one)", "first one"),
    ],
)
def test_final_in_prose_is_read_whole(text, answer):
    assert final_of(text) == Final(answer, answer.startswith(("in quotes", "it's")))


def test_final_keeps_a_parenthesis_within_quotes():
    assert final_of('FINAL("She smiled :)")') == Final("She smiled :)", True)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('FINAL("Mochi (a cat")', "Mochi (a cat"),
        ("FINAL(1) milk 2) eggs)", "1) milk 2) eggs"),
        ("FINAL(a) first; b) second)\nThat is all.", "a) first; b) second"),
        ("**FINAL(1) milk 2) eggs)**", "1) milk 2) eggs"),
        ("FINAL(1) milk\n2) eggs\n3) bread)", "1) milk\n2) eggs\n3) bread"),
        ("So:\n> FINAL(1) Ann (twice) 2) Ben (once))", "1) Ann (twice) 2) Ben (once)"),
        ("FINAL(It's :) fine)", "It's :) fine"),
        ("FINAL(all good ;-) see you)", "all good ;-) see you"),
        ("FINAL(sad :( but true)", "sad :( but true"),
        ("FINAL（at home）", "at home"),
        ("### FINAL(at home)", "at home"),
        ("FINAL(1）milk 2）eggs)", "1）milk 2）eggs"),
        ("FINAL(“at home”)", "at home"),
        ("FINAL(at home) :)", "at home"),
        ("FINAL(at home) (I think)", "at home"),
        ("FINAL(at home)\n\nReasons:\n1) she said so\n2) twice", "at home"),
        ("FINAL(at home)\n(see above)", "at home"),
        ("FINAL(one thing) a)\nFINAL(another) b)", "one thing) a"),
        ("FINAL(Paris (the city)", "Paris (the city)"),
        ("FINAL(f(x)[0] + (1)", "f(x)[0] + (1)"),
        ("FINAL(" + "(" * 50_000, "(" * 50_000),
        ("FINAL(" + ")" * 50_000, ")" * 49_999),
        ("FINAL(" + "1) a " * 20_000 + ")", ("1) a " * 20_000).strip()),
    ],
    ids=lambda text: text[:30],
)
def test_where_parentheses_do_not_balance_the_last_one_closes(text, answer):
    assert final_of(text).text == answer


@pytest.mark.parametrize("text", ["FINAL_VAR(x)", "FINAL_VAR( x )", "FINAL_VAR(`x`)", "FINAL_VAR('x') :)"])
def test_final_var_needs_no_quotes(text):
    assert (blocks_of(text), final_of(text)) == (['FINAL_VAR("x")'], None)


def test_a_long_message_of_any_signs_is_read():
    for unit in (
        "```\n",
        "``` ",
        "~~~\n`",
        "\n",
        " ",
        "FINAL(",
        ")",
        "(",
        "FINAL_VAR('",
        "`" * 5 + "\n",
        "<think>",
        ":) ",
    ):
        parse_message(unit * 30_000)
        parse_message("```" + unit * 30_000)
        parse_message("FINAL(" + unit * 30_000)


def test_unclosed_final_ends_with_its_line():
    assert final_of("FINAL(Paris (the city\nThat is all.") == Final("Paris (the city", False)


@pytest.mark.parametrize(
    "text",
    [
        "The answer is FINAL(42).",
        "Then I will call FINAL(answer)",
        "FINALLY(42)",
        "FINAL: 42",
        "final(42)",
        "",
    ],
)
def test_only_final_at_the_start_of_a_line_counts(text):
    assert final_of(text) is None


@pytest.mark.parametrize("fence", ["```repl", "```python", "```", "~~~", "```text", "```json"])
def test_final_within_a_fence_is_code_or_data_not_an_answer(fence):
    assert final_of(f"{fence}\nFINAL('Paris is nice')\n{fence[:3]}\nDone.") is None
    assert final_of(f"{fence}\nx = 1\nFINAL(Paris is nice)\n{fence[:3]}\nDone.") is None


@pytest.mark.parametrize("fence", ["```repl", "```python", "```", "~~~"])
def test_a_block_of_final_in_words_is_an_answer_since_no_python_could_run_it(fence):
    message = parse_message(f"So:\n{fence}\nFINAL(Paris (the city) is nice)\n{fence[:3]}")
    assert (message.final, message.blocks) == (Final("Paris (the city) is nice", False), ())


@pytest.mark.parametrize("tag", ["text", "json", "output"])
def test_final_in_words_within_data_is_no_answer(tag):
    assert final_of(f"```{tag}\nFINAL(Paris is nice)\n```") is None


def test_lines_may_end_as_on_windows():
    message = parse_message("```repl\r\na = 1\r\n```\r\nFINAL(a cat)\r\n")
    assert (message.blocks, message.final) == (("a = 1",), Final("a cat", False))


def test_a_bare_word_may_be_a_variable_and_a_quoted_word_is_not():
    assert final_of("FINAL(answer)") == Final("answer", False)
    assert final_of('FINAL("answer")') == Final("answer", True)


@pytest.mark.parametrize("text", ["FINAL_VAR(answer)", 'FINAL_VAR("answer")', "FINAL_VAR('answer')"])
def test_final_var_names_a_variable(text):
    assert (blocks_of(text), final_of(text)) == (['FINAL_VAR("answer")'], None)


def test_final_var_of_what_cannot_be_a_name_is_a_value():
    assert final_of('FINAL_VAR("the red one")') == Final("the red one", True)


@pytest.mark.parametrize("tag", ["repl", "python", "py", "python3", "Python", "", "repl extra words", "c++"])
def test_code_has_any_tag(tag):
    assert blocks_of(f"```{tag}\nprint(1)\n```") == ["print(1)"]


@pytest.mark.parametrize("tag", ["text", "json", "output", "markdown", "bash"])
def test_data_is_not_run_as_code(tag):
    assert blocks_of(f"```{tag}\nprint(1)\n```") == []


def test_several_blocks_keep_their_order_and_prose_is_the_rest():
    message = parse_message("One\n```repl\na = 1\n```\nTwo\n~~~py\nb = 2\n\nc = 3\n~~~\nThree\n")
    assert message.blocks == ("a = 1", "b = 2\n\nc = 3")
    assert [line for line in message.prose.splitlines() if line] == ["One", "Two", "Three"]


def test_code_and_final_in_one_message_are_both_read():
    message = parse_message("```repl\nanswer = 1\n```\nFINAL_VAR(answer)")
    assert message.blocks == ("answer = 1", 'FINAL_VAR("answer")')
    assert parse_message("```repl\nanswer = 1\n```\nFINAL(answer)").final == Final("answer", False)


def test_an_unclosed_fence_reaches_to_the_end():
    assert blocks_of("```repl\nprint(1)\nprint(2)") == ["print(1)\nprint(2)"]


def test_a_longer_fence_holds_a_shorter_one():
    assert blocks_of("````repl\ns = '''\n```\n'''\n````") == ["s = '''\n```\n'''"]


def test_an_empty_block_is_no_code():
    assert blocks_of("```repl\n\n```") == []


def test_backticks_within_a_line_open_no_block():
    message = parse_message("```FINAL(in Paris)```\nThat is my answer.")
    assert message.blocks == ()
    assert message.final == Final("in Paris", False)


def test_a_block_indented_as_a_whole_can_be_run():
    assert blocks_of("1. Look:\n   ```repl\n   if a:\n       b()\n   ```") == ["if a:\n    b()"]


def test_no_code_and_no_final():
    message = parse_message("  Let me think about it. ")
    assert (message.blocks, message.final, message.prose) == ((), None, "Let me think about it.")


def test_a_long_message_of_open_parentheses_is_read_in_linear_time():
    assert not final_of("FINAL(" * 20_000).is_text


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```\na\n````\nb\n```\nc", ["a\n````\nb"]),  # a longer fence closes nothing
        ("~~~\na\n```\nb\n~~~", ["a\n```\nb"]),
        ("```py\na\n  ```  \nb", ["a"]),
        ("```py\na\n``` b\n```", ["a\n``` b"]),
        ("```", []),
        ("a\n```py", []),
        ("```py\n\n\n  a\n  b\n\n```\n```text\nc\n```\n```\nd", ["a\nb", "d"]),
    ],
)
def test_a_block_ends_with_its_own_fence(text, blocks):
    assert blocks_of(text) == blocks


def test_fences_of_many_lengths_that_are_never_closed_are_read():
    for sign in "`~":
        text = "\n".join(sign * (3 + number) for number in range(1_500))
        assert len(blocks_of(text)) == 1
        parse_message(f"{text}\nFINAL(x)")
    parse_message("```\n" + " " * 200_000 + "`")
    parse_message("\n```" * 100_000 + " `")


@pytest.mark.parametrize("text", ["My plan:\n1. search for cat\n2. FINAL(answer)", "- find\n- FINAL(answer)"])
def test_the_step_of_a_plan_is_no_answer(text):
    assert parse_message(text).final is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("- FINAL(at home)", "at home"),
        ("+ FINAL(at home)", "at home"),
        ("2) FINAL(at home)", "at home"),
        ("<answer>FINAL(at home)</answer>", "at home"),
        ("<final_answer>\nFINAL(at home)\n</final_answer>", "at home"),
        ("FINAL(one (1) and two (2)", "one (1) and two (2)"),
        ("FINAL(at home :)", "at home :)"),
    ],
)
def test_final_in_lists_and_wrappers_and_without_its_last_parenthesis(text, answer):
    assert final_of(text).text == answer


@pytest.mark.parametrize("inside", ["x))", "name=x)", "variable_name = 'x')", "\n x\n)", "“x”)", "x"])
def test_the_name_in_final_var_may_be_written_in_many_ways(inside):
    assert blocks_of(f"FINAL_VAR({inside}") == ['FINAL_VAR("x")']


@pytest.mark.parametrize("blank", [" ", "\n", ".", "= ", " ="])
@pytest.mark.parametrize("before", ["", "a", "a=", "name ", "a ="])
@pytest.mark.parametrize("after", ["1", "x y", "x", "'x'"])
def test_a_variable_between_very_many_blanks_is_read_at_once(before, blank, after):
    inside = f"{before}{blank * 40_000}{after}"
    assert not {*blocks_of(f"FINAL_VAR({inside})")} - {f'FINAL_VAR("{name}")' for name in ("x", "a", "name")}
