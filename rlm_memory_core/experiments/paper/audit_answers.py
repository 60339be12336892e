"""Audits which of the authors' answers were right, and how certain the scores are: claims 4, 5, 9, 10 and 11.

Rules compare the texts, and the tables show only ids and figures. Cases that no rule decides are counted for
a human reader.
"""

import re
from typing import Any

import pandas as pd

from ..score.answers import normalize
from ..score.intervals import mcnemar_exact, wilson
from ..score.results import as_text
from ..score.scoring import is_abstention
from .checks import KINDS, Check, of, sheet

METHODS = ("rlm", "rag", "adaptive", "truncation")

_NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty").split()  # fmt: skip
_DIGITS = {word: str(value) for value, word in enumerate(_NUMBERS)}
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|s)$")
# Words that carry no part of an answer. "no" and "not" are not among them: they reverse it.
_EMPTY = frozenset(
    "i you he she it we they me him her us them my your his its our their is are was were be been do does did have has"
    " had of in on at to for from by with and or that this which who what when where how as about around approximately"
    " s".split()
)


def wilson_table(answers: pd.DataFrame) -> pd.DataFrame:
    """EM with Wilson's 95% interval by method and question type.

    Covers every comparison of Table 6: with 16 to 18 questions a type, intervals are as wide
    as 0.4, and those of RLM and RAG overlap in every row.
    """
    rows = {}
    for kind in ("overall", *KINDS):
        typed = answers if kind == "overall" else answers[answers["question_type"] == kind]
        by_method = {method: _with_interval(of(typed, method)["em"]) for method in METHODS}
        rows[kind] = {"n": f"{typed['question_id'].nunique()}", **by_method}
    return as_text(rows, "question type")


def user_questions(answers: pd.DataFrame, full_context: float = 0.814, n: int = 70) -> pd.DataFrame:
    """Claim 4, "87.5% exceeds the full-context 55.4%": single-session-user against full context on the same type.

    Args:
        answers: The logs' answers.
        full_context: Judged accuracy of full-context gpt-4o-mini on that type, as Zep's paper prints it.
        n: Questions behind it.
    """
    rows = of(answers, "rlm")
    em = rows.loc[rows["question_type"] == "single-session-user", "em"]
    low, _ = wilson(em.sum(), len(em))
    other = "{:.3f} [{:.2f}, {:.2f}], n = {}".format(full_context, *wilson(full_context * n, n), n)
    exceeds = "RLM exceeds full context on that type"
    return sheet(
        Check("RLM, single-session-user", "0.875", f"{_with_interval(em)}, n = {len(em)}"),
        Check("full context, all types", "0.554", ""),
        Check("full context, single-session-user", "", other),
        Check(exceeds, "yes", f"its interval starts at {low:.2f}", low > full_context),
    )


def published(listed: pd.DataFrame) -> pd.DataFrame:
    """Claim 5, Table 7: the published systems as each log lists them.

    Shows that the logs give two models for one system's score. Which systems were trained, and that the others'
    scores are judged accuracies on 500 questions, is in the cited papers.
    """
    theirs = listed[~listed["system"].str.contains("ours")]
    runs = theirs.drop_duplicates().groupby(["system", "em"], sort=False)
    table = runs.agg(models=("model", lambda models: " / ".join(dict.fromkeys(models))), training=("training", "first"))
    table["the logs agree"] = table["models"].str.contains(" / ").map({True: "no", False: "yes"})
    return table.reset_index().assign(em=lambda frame: frame["em"].map("{:.3f}".format))


def synthetic_failures(results: dict[str, Any]) -> pd.DataFrame:
    """Claim 9, Section 5.2, "two failures": how many of the synthetic questions RLM missed, by type."""
    filed = results["synthetic_longmemeval_results.json"]
    by_type, n = filed["by_type"], filed["n_samples"]
    missed = {kind: round(row["n"] * (1 - row["rlm_em"])) for kind, row in by_type.items()}
    total = round(n * (1 - filed["overall"]["rlm"]["em"]))
    return sheet(
        *(Check(kind, "", f"{count} of {by_type[kind]['n']}") for kind, count in missed.items()),
        Check("sum of the types", "", f"{sum(missed.values())} of {n}"),
        Check("all, from the overall EM", "2", f"{total} of {n}", total == 2),
    )


def paired(answers: pd.DataFrame, first: str = "rlm", second: str = "rag") -> pd.DataFrame:
    """Claim 10: two methods on the same questions, by McNemar's exact test, with and without crashed calls.

    Tests whether RLM is ahead of RAG. Shows that the logs cannot tell the two apart, and that
    RAG is ahead on the questions where neither crashed.
    """
    one, other = of(answers, first), of(answers, second)
    kept = ~(one["crashed"] | other["crashed"])
    rows = {}
    for which, chosen in (("all", pd.Series(True, kept.index)), ("neither crashed", kept)):
        a, b = one.loc[chosen, "em"] == 1, other.loc[chosen, "em"] == 1
        only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
        rows[which] = {
            "n": f"{chosen.sum()}",
            f"{first} right": f"{a.sum()}",
            f"{second} right": f"{b.sum()}",
            f"only {first}": f"{only_a}",
            f"only {second}": f"{only_b}",
            "McNemar p": f"{mcnemar_exact(only_a, only_b):.2f}",
        }
    return as_text(rows, "questions")


def crashes(answers: pd.DataFrame, method: str = "rag") -> pd.DataFrame:
    """Claim 10: the crashed calls, their scores, and the tokens and seconds logged for them.

    An error message scored 1 where it happened to contain the gold answer. "as before" means that tokens and
    seconds repeat those of the question before, so they were not measured.
    """
    rows = of(answers, method)
    logged = rows[["tokens", "seconds", "retrieved"]]
    repeated = (logged == logged.shift()).all(axis=1)
    crashed = rows[rows["crashed"]]
    return pd.DataFrame(
        {
            "question type": crashed["question_type"],
            "EM": crashed["em"].map("{:.0f}".format),
            "gold answer, characters": crashed["gold"].str.len().map(str),
            "tokens and seconds": repeated[rows["crashed"]].map({True: "as before", False: "its own"}),
        }
    )


def other_words(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 11, EM undercounts: zeros that a rule recognises as the gold answer in other words.

    Compares words that the question does not hold already, without order, with "four" as 4. "all of it": the
    prediction has all words of the gold answer. "no more": the gold answer has all words of the prediction, and
    more. "rightly unanswered": the question has no answer, and the prediction says so. A rule proves no
    prediction right, and it misses paraphrases and text that the log cut; those zeros need a reader (see
    `to_read`). Preference questions are left out: their gold answer is a rubric.

    Returns:
        One row per recognised zero, by question: its type, the rule, and its F1.
    """
    zeros = _zeros(answers, method)
    texts = zip(zeros["question"], zeros["gold"], zeros["prediction"], zeros["cut"], strict=True)
    rule = pd.Series([_rule(*text) for text in texts], zeros.index, dtype=object)
    rule[zeros.index.str.endswith("_abs") & _abstained(zeros)] = "rightly unanswered"
    return _listed(zeros.assign(rule=rule)[rule != ""], "rule")


def to_read(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 11: how the zeros divide into those that a rule confirms, plain failures, and those to be read.

    The number of zeros that were right in other words lies between what the rules find and that plus
    "to be read": predictions that share words with the gold answer, but match no rule.
    """
    zeros, found = _zeros(answers, method), other_words(answers, method)
    ruled = found["rule"].value_counts()
    rest = zeros.drop(found.index)
    abstained = _abstained(rest)
    near = ~abstained & (rest["f1"] > 0)
    counts = {
        **{rule: ruled.get(rule, 0) for rule in ("all of it", "no more", "rightly unanswered")},
        "wrongly unanswered": abstained.sum(),
        "no word in common": (~abstained & ~near).sum(),
        "to be read": near.sum(),
        "all zeros but preference": len(zeros),
    }
    return as_text({what: {"questions": f"{count}"} for what, count in counts.items()}, "what")


def doubtful_hits(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 11, EM overcounts too: hits whose prediction also names numbers that the gold answer does not.

    Containment accepts an answer that lists several values. A reader must say whether one is wrong:
    "5 and 3, so 8" is right.

    Returns:
        One row per hit, by question: how many other numbers it names, and its F1.
    """
    rows = of(answers, method)
    hits = rows[(rows["em"] == 1) & ~rows["crashed"]]
    texts = zip(hits["prediction"], hits["gold"], hits["question"], strict=True)
    others = [_numbers(gold) and _numbers(said) - _numbers(gold) - _numbers(asked) for said, gold, asked in texts]
    found = hits.assign(**{"other numbers": [f"{len(numbers)}" for numbers in others]})
    return _listed(found[found["other numbers"] != "0"], "other numbers")


def _listed(found: pd.DataFrame, column: str) -> pd.DataFrame:
    """The type, one more column, and the F1 of each question."""
    shown = found.assign(F1=found["f1"].map("{:.2f}".format)).rename(columns={"question_type": "question type"})
    return shown[["question type", column, "F1"]]


def _with_interval(em: "pd.Series[float]") -> str:
    low, high = wilson(em.sum(), len(em))
    return f"{em.mean():.3f} [{low:.2f}, {high:.2f}]"


def _zeros(answers: pd.DataFrame, method: str) -> pd.DataFrame:
    rows = of(answers, method)
    return rows[(rows["em"] == 0) & ~rows["crashed"] & (rows["question_type"] != "single-session-preference")]


def _abstained(rows: pd.DataFrame) -> "pd.Series[bool]":
    return pd.Series([is_abstention(text) for text in rows["prediction"]], rows.index, dtype=bool)


def _rule(question: str, gold: str, prediction: str, cut: bool) -> str:
    """The rule by which a prediction is the gold answer in other words, or ""."""
    if is_abstention(prediction):
        return ""
    asked = _words(question)
    wanted, said = _words(gold) - asked, _words(prediction) - asked
    # If the question itself offers the gold answer as a choice, only the whole texts can be compared.
    if wanted <= said if wanted else _words(gold) <= _words(prediction):
        return "all of it"
    return "no more" if said and said <= wanted and not cut else ""  # the text that was cut may have said more


def _words(text: str) -> set[str]:
    """The words that carry meaning: numbers as digits, without the commonest endings."""
    return {_DIGITS.get(word) or _ENDING.sub("", word) for word in set(normalize(text).split()) - _EMPTY}


def _numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,:]\d+)*", text))
