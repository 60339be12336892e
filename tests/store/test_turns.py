"""How turns and sessions are written as text."""


def test_a_turn_is_serialised_as_documented(store):
    assert str(store.add("user", "I grew up in Nairobi.")) == "[Turn 1][user]: I grew up in Nairobi."


def test_the_history_is_serialised_with_a_marker_before_each_dated_session(store):
    store.add("user", "Hello.")
    store.start_session()
    store.add("user", "Again.")
    store.start_session(date="2023/05/20 (Sat) 02:21")
    store.add("user", "My cat is called Mochi.")
    store.add("assistant", "Got it.")
    assert store.to_string() == (
        "[Turn 1][user]: Hello.\n"
        "[Turn 2][user]: Again.\n"
        "[--- Session 3 | 2023/05/20 (Sat) 02:21 ---]\n"
        "[Turn 3][user]: My cat is called Mochi.\n"
        "[Turn 4][assistant]: Got it."
    )


def test_an_empty_dated_session_leaves_no_blank_line(store):
    store.start_session("Monday")
    store.start_session("Tuesday")
    store.add("user", "Hi")
    assert store.to_string() == "[--- Session 1 | Monday ---]\n[--- Session 2 | Tuesday ---]\n[Turn 1][user]: Hi"
