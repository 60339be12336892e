"""Which of the authors' answers were right, and how sure their scores are, held against the paper's claims.

Pure functions over `paper_logs`: claims 4, 5, 9, 10 and 11 of the audit. Texts are
compared by rule, and only ids and figures are shown; what a rule cannot tell is left
to a reader, never guessed.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from ..score.answers import normalize
from ..score.intervals import mcnemar_exact, wilson
from ..score.scoring import is_abstention
from .audit_costs import of
from .audit_tables import KINDS, Check, sheet

METHODS = ("rlm", "rag", "adaptive", "truncation")

_NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
            "seventeen eighteen nineteen twenty").split()  # fmt: skip
_DIGITS = {word: str(value) for value, word in enumerate(_NUMBERS)}
_ENDING = re.compile(r"(?<=\w{3})(?:ing|ed|s)$")
# Words that say nothing of an answer. "no" and "not" are not among them: they turn one round.
_EMPTY = frozenset(
    "i you he she it we they me him her us them my your his its our their is are was were be been do does did have has"
    " had of in on at to for from by with and or that this which who what when where how as about around approximately"
    " s".split()
)


def wilson_table(answers: pd.DataFrame) -> pd.DataFrame:
    """EM with Wilson's 95% interval by method and question type.

    Checks every comparison of Table 6: with 16 to 18 questions a type, intervals are as wide
    as 0.4, and those of RLM and RAG overlap in every row.
    """
    rows = {}
    for kind in ("overall", *KINDS):
        typed = answers if kind == "overall" else answers[answers["question_type"] == kind]
        row = {"n": f"{typed['question_id'].nunique()}"}
        for method in METHODS:
            em = typed.loc[typed["method"] == method, "em"]
            low, high = wilson(em.sum(), len(em))
            row[method] = f"{em.mean():.3f} [{low:.2f}, {high:.2f}]"
        rows[kind] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("question type")


def user_questions(answers: pd.DataFrame, full_context: float = 0.814, n: int = 70) -> pd.DataFrame:
    """Claim 4, "87.5% exceeds the full-context 55.4%": single-session-user against the same type.

    Args:
        answers: The logs' answers.
        full_context: Full-context gpt-4o-mini on that type, as Zep's paper prints it (a judged accuracy).
        n: Over how many questions.
    """
    em = answers.loc[(answers["method"] == "rlm") & (answers["question_type"] == "single-session-user"), "em"]
    low, high = wilson(em.sum(), len(em))
    other_low, other_high = wilson(full_context * n, n)
    return sheet(
        [
            Check("RLM, single-session-user", "0.875", f"{em.mean():.3f} [{low:.2f}, {high:.2f}], n = {len(em)}"),
            Check("full context, all types", "0.554", ""),
            Check(
                "full context, single-session-user",
                "",
                f"{full_context:.3f} [{other_low:.2f}, {other_high:.2f}], n = {n}",
            ),
            Check(
                "RLM exceeds full context on that type", "yes", f"its interval starts at {low:.2f}", low > full_context
            ),
        ]
    )


def published(listed: pd.DataFrame) -> pd.DataFrame:
    """Claim 5, Table 7: the published systems as each log lists them.

    Supports that one system's score stands beside two models. Which of them were trained, and
    that the others' scores are judged accuracies on 500 questions, is read in their papers.
    """
    theirs = listed[~listed["system"].str.contains("ours")]
    runs = theirs.drop_duplicates().groupby(["system", "em"], sort=False)
    table = runs.agg(models=("model", lambda models: " / ".join(dict.fromkeys(models))), training=("training", "first"))
    table["the logs agree"] = ["no" if " / " in models else "yes" for models in table["models"]]
    return table.reset_index().assign(em=lambda frame: frame["em"].map("{:.3f}".format))


def synthetic_failures(results: dict[str, Any]) -> pd.DataFrame:
    """Claim 9, Section 5.2, "two failures": how many of the synthetic questions RLM missed, by type."""
    filed = results["synthetic_longmemeval_results.json"]
    missed = {kind: round(row["n"] * (1 - row["rlm_em"])) for kind, row in filed["by_type"].items()}
    total = round(filed["n_samples"] * (1 - filed["overall"]["rlm"]["em"]))
    checks = [Check(kind, "", f"{count} of {filed['by_type'][kind]['n']}") for kind, count in missed.items()]
    checks.append(Check("sum of the types", "", f"{sum(missed.values())} of {filed['n_samples']}"))
    checks.append(Check("all, from the overall EM", "2", f"{total} of {filed['n_samples']}", total == 2))
    return sheet(checks)


def paired(answers: pd.DataFrame, first: str = "rlm", second: str = "rag") -> pd.DataFrame:
    """Claim 10: two methods on the same questions, by McNemar's exact test, with and without crashed calls.

    Checks that RLM is ahead of RAG. Supports that the logs cannot tell the two apart, and that
    without the questions on which either crashed the order turns.
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
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("questions")


def crashes(answers: pd.DataFrame, method: str = "rag") -> pd.DataFrame:
    """Claim 10: the crashed calls, how they were scored, and what was logged for them.

    An error message scored 1 where it happened to contain the gold answer; "as before" tells
    that tokens and seconds repeat the question before, so that they were not measured.
    """
    rows = of(answers, method)
    repeated = (rows[["tokens", "seconds", "retrieved"]] == rows[["tokens", "seconds", "retrieved"]].shift()).all(
        axis=1
    )
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

    Only words that the question does not hold already are compared, without order, with
    "four" as 4. "all of it": the prediction has all of the gold answer's. "no more": all of the
    prediction's are the gold answer's, which says more. "rightly unanswered": the question cannot
    be answered, and the prediction says so. A rule proves none of them right, and cannot see
    paraphrases or what the log cut away; those zeros stay for a reader (see `to_read`).
    Preference questions are left out: their gold answer is a rubric.

    Returns:
        One row a recognised zero, by question: its type, the rule, and its F1.
    """
    zeros = _zeros(answers, method)
    texts = zip(zeros["question"], zeros["gold"], zeros["prediction"], zeros["cut"], strict=True)
    rule = pd.Series([_rule(*text) for text in texts], zeros.index, dtype=object)
    rule[zeros.index.str.endswith("_abs") & _abstained(zeros)] = "rightly unanswered"
    found = zeros[rule != ""]
    return pd.DataFrame(
        {"question type": found["question_type"], "rule": rule[rule != ""], "F1": found["f1"].map("{:.2f}".format)}
    )


def to_read(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 11: how the zeros divide into what a rule confirms, plain failures, and what must be read.

    How many zeros were right in other words lies between what the rules find and that
    plus "to be read": the predictions that share words with the gold answer, but not by a rule.
    """
    zeros, found = _zeros(answers, method), other_words(answers, method)
    ruled = found["rule"].value_counts()
    rest = zeros.drop(found.index)
    abstained = _abstained(rest)
    near = rest[~abstained & (rest["f1"] > 0)]
    counts = {
        "all of it": ruled.get("all of it", 0),
        "no more": ruled.get("no more", 0),
        "rightly unanswered": ruled.get("rightly unanswered", 0),
        "wrongly unanswered": int(abstained.sum()),
        "no word in common": len(rest) - int(abstained.sum()) - len(near),
        "to be read": len(near),
        "all zeros but preference": len(zeros),
    }
    return pd.DataFrame({"questions": {what: f"{count}" for what, count in counts.items()}}).rename_axis("what")


def doubtful_hits(answers: pd.DataFrame, method: str = "rlm") -> pd.DataFrame:
    """Claim 11, EM overcounts too: hits whose prediction also names numbers that the gold answer does not.

    Containment forgives an answer that lists several values. Whether one is wrong is for a
    reader: "5 and 3, so 8" is right.

    Returns:
        One row a hit, by question: how many other numbers it names, and its F1.
    """
    rows = of(answers, method)
    hits = rows[(rows["em"] == 1) & ~rows["crashed"]]
    texts = zip(hits["prediction"], hits["gold"], hits["question"], strict=True)
    others = [
        _numbers(said) - _numbers(gold) - _numbers(asked) if _numbers(gold) else set() for said, gold, asked in texts
    ]
    found = hits.assign(others=pd.Series([len(numbers) for numbers in others], hits.index, dtype=int))
    found = found[found["others"] > 0]
    return pd.DataFrame(
        {
            "question type": found["question_type"],
            "other numbers": found["others"].map(str),
            "F1": found["f1"].map("{:.2f}".format),
        }
    )


def _zeros(answers: pd.DataFrame, method: str) -> pd.DataFrame:
    rows = of(answers, method)
    return rows[(rows["em"] == 0) & ~rows["crashed"] & (rows["question_type"] != "single-session-preference")]


def _abstained(rows: pd.DataFrame) -> pd.Series[bool]:
    return pd.Series([is_abstention(text) for text in rows["prediction"]], rows.index, dtype=bool)


def _rule(question: str, gold: str, prediction: str, cut: bool) -> str:
    """The rule by which a prediction is the gold answer in other words; "" where none is."""
    if is_abstention(prediction):
        return ""
    asked = _words(question)
    wanted, said = _words(gold) - asked, _words(prediction) - asked
    # Where the question offers the answers to choose from, nothing is left to compare but the whole.
    if wanted <= said if wanted else _words(gold) <= _words(prediction):
        return "all of it"
    return "no more" if said and said <= wanted and not cut else ""  # what was cut away may have said more


def _words(text: str) -> set[str]:
    """The words that carry meaning, numbers as digits, without the commonest endings."""
    return {_DIGITS.get(word) or _ENDING.sub("", word) for word in set(normalize(text).split()) - _EMPTY}


def _numbers(text: str) -> set[str]:
    return set(re.findall(r"\d+(?:[.,:]\d+)*", text))
