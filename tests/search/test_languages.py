# ruff: noqa: E501  # tables of sentences
"""Questions in languages other than English find their session among thirty, and their quotes, by words alone."""

import random

import pytest

from rlm_memory_core import MemoryStore
from rlm_memory_core.query.evidence import Evidence, look_up
from rlm_memory_core.search import rank_sessions
from rlm_memory_core.search.occurrences import occurrences
from rlm_memory_core.search.words import content_words

# Of each language: everyday talk; then questions, what the user said, and a quote of it.
TALK = {
    "zh": [
        "今天下雨了，我没有带伞。", "你能推荐一本好书吗？", "我昨天在超市买了苹果和牛奶。", "周末我想去爬山。",
        "地铁今天又晚点了。", "怎么做番茄炒蛋？", "我的电脑最近很慢。", "她在学校教音乐。", "我们公司下个月搬家。",
        "我最喜欢的颜色是蓝色。",
    ],
    "ja": [
        "今日は雨が降っています。", "おすすめの本はありますか。", "昨日スーパーでりんごと牛乳を買いました。",
        "週末は山に登りたいです。", "電車がまた遅れました。", "卵焼きの作り方を教えてください。",
        "パソコンが最近遅いです。", "姉は学校で音楽を教えています。", "会社は来月引っ越します。", "好きな色は青です。",
    ],
    "ko": [
        "오늘은 비가 와서 우산을 썼어요.", "좋은 책을 추천해 주세요.", "어제 마트에서 사과와 우유를 샀어요.",
        "주말에는 산에 가고 싶어요.", "지하철이 또 늦었어요.", "계란말이는 어떻게 만들어요?", "컴퓨터가 요즘 느려요.",
        "누나는 학교에서 음악을 가르쳐요.", "우리 회사는 다음 달에 이사해요.", "제가 좋아하는 색은 파란색이에요.",
    ],
    "th": [
        "วันนี้ฝนตกและฉันลืมร่ม", "ช่วยแนะนำหนังสือดีๆ หน่อย", "เมื่อวานฉันซื้อแอปเปิ้ลกับนมที่ตลาด", "สุดสัปดาห์นี้อยากไปปีนเขา",
        "รถไฟฟ้ามาสายอีกแล้ว", "ทำไข่เจียวยังไง", "คอมพิวเตอร์ของฉันช้ามาก", "พี่สาวสอนดนตรีที่โรงเรียน", "บริษัทจะย้ายเดือนหน้า",
        "สีที่ฉันชอบคือสีฟ้า",
    ],
    "de": [
        "Heute regnet es und ich habe keinen Schirm.", "Kannst du mir ein gutes Buch empfehlen?",
        "Gestern habe ich im Supermarkt Äpfel und Milch gekauft.", "Am Wochenende möchte ich wandern gehen.",
        "Die Straßenbahn war schon wieder zu spät.", "Wie macht man Rührei?", "Mein Rechner ist in letzter Zeit langsam.",
        "Sie unterrichtet Musik an der Schule.", "Unsere Firma zieht nächsten Monat um.", "Meine Lieblingsfarbe ist Blau.",
    ],
    "ar": [
        "اليوم تمطر وأنا نسيت المظلة.", "هل يمكنك أن تنصحني بكتاب جيد؟", "اشتريت أمس التفاح والحليب من السوق.",
        "أريد أن أتسلق الجبل في نهاية الأسبوع.", "تأخر القطار مرة أخرى.", "كيف أطبخ البيض؟", "حاسوبي بطيء هذه الأيام.",
        "تعلم الموسيقى في المدرسة.", "ستنتقل شركتنا الشهر القادم.", "لوني المفضل هو الأزرق.",
    ],
}  # fmt: skip
ASKED = {
    "zh": [
        ("我的猫叫什么名字？", "我家的猫叫麻糬，今年三岁。", "猫叫麻糬"),
        ("我对什么过敏？", "医生说我对花生过敏，要小心。", "对花生过敏"),
        ("我弟弟在哪个城市工作？", "弟弟去年搬到成都工作了。", "搬到成都工作"),
        ("我的航班几点起飞？", "航班改到早上７点半起飞。", "早上7点半"),
        ("猫几岁了？", "麻糬这只猫今年三岁。", "猫今年三岁"),
    ],
    "ja": [
        ("私の猫の名前は何ですか。", "うちの猫はモチという名前です。", "モチという名前"),
        ("何にアレルギーがありますか。", "ピーナッツのアレルギーがあると医者に言われました。", "ﾋﾟｰﾅｯﾂのアレルギー"),
        ("弟はどこで働いていますか。", "弟は去年から札幌の病院で働いています。", "札幌の病院で働いて"),
        ("飛行機は何時に出発しますか。", "飛行機の出発は７時半に変わりました。", "出発は7時半"),
    ],
    "ko": [
        ("내 고양이의 이름은 뭐야?", "우리 고양이는 이름이 모찌예요.", "이름이 모찌"),
        ("나는 무엇에 알레르기가 있지?", "의사가 땅콩 알레르기라고 했어요.", "땅콩 알레르기"),
        ("내 동생은 어디에서 일해?", "동생이 작년부터 부산에서 일하고 있어요.", "부산에서 일하고"),
    ],
    "th": [
        ("แมวของฉันชื่ออะไร", "ฉันเลี้ยงแมวตัวหนึ่งชื่อโมจิ", "แมวตัวหนึ่งชื่อโมจิ"),
        ("ฉันแพ้อะไร", "หมอบอกว่าฉันแพ้ถั่วลิสง", "แพ้ถั่วลิสง"),
        ("น้องชายทำงานที่ไหน", "น้องชายย้ายไปทำงานที่เชียงใหม่", "ทำงานที่เชียงใหม่"),
    ],
    "de": [
        ("Wie heißen meine Katzen?", "Ich habe zwei Kätzchen und eine Katze, die Möhre heisst.", "die Mo\u0308hre heißt"),
        ("Wo arbeitet mein Bruder?", "Mein Bruder arbeitete früher in Köln, nun ist er in Graz.", "FRU\u0308HER in Ko\u0308ln"),
        ("Wann muss ich zum Zahnarzt?", "Der Zahnarzttermin wurde auf den 3. Mai verlegt.", "auf den ３. Mai"),
        ("Wogegen bin ich allergisch?", "Die Ärztin sagt, es ist eine Allergie gegen Erdnüsse.", "„Allergie gegen Erdnu\u0308sse“"),
        ("Wo liegen meine Schlüssel?", "Der Ersatzschlüssel liegt unter dem Blumentopf.", "unter dem\u00a0\n Blumentopf"),
    ],
    "ar": [
        ("ما اسم قطتي؟", "عندي قطة اسمها موتشي.", "قطة اسمها موتشي"),
        ("أين يعمل أخي؟", "انتقل أخي إلى عمان ويعمل في مستشفى.", "أخي إلى عمان"),
        ("ما الذي عندي حساسية منه؟", "قال الطبيب إن عندي حساسية من الفول السوداني.", "حساسية من الفول"),
        ("متى الرحلة إلى القاهرة؟", "رحلتي للقاهرة يوم الثلاثاء.", "يوم الثلاثاء"),
    ],
}  # fmt: skip
CASES = [(language, *case) for language, cases in ASKED.items() for case in cases]


@pytest.mark.parametrize(("language", "question", "said", "quote"), CASES, ids=lambda text: ascii(text)[:20])
def test_a_question_finds_its_session_and_its_quote(language, question, said, quote):
    rng = random.Random(question)
    place = rng.randrange(30)
    with MemoryStore() as store:
        for number in range(30):
            store.start_session(f"2024/03/{number + 1:02}")
            store.add("user", rng.choice(TALK[language]))
            store.add("assistant", rng.choice(TALK[language]))
            if number == place:
                store.add("user", said)
        assert rank_sessions(store, question)[0] == place
        found = look_up(Evidence(None, None, None, quote), store.turns)
        assert found is not None
        assert found.quote.strip("，。、.") in said


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("Zwei Cafe\u0301s.", "café", ["Cafe\u0301s"]),
        ("我的猫叫麻糬。", "猫", ["猫叫"]),
        ("我有猫。", "猫", ["猫"]),
        ("“Cats” – ＤＯＧ!", "cat dog", ["Cats", "ＤＯＧ"]),
        ("Моя кошка и кошки.", "кошку", ["кошка", "кошки"]),
        ("والقطّة هنا", "القطة", ["والقطّة"]),
        ("हिन्दी में", "हिन्दी", ["हिन्दी"]),
        ("ｶﾞﾗｽの箱", "ガラス", ["ｶﾞﾗ", "ﾗｽ"]),
        ("a\u0301\u0323b é", "é", ["é"]),
        ("", "cat", []),
    ],
)
def test_words_are_found_where_they_stand(text, question, expected):
    (found,) = occurrences(content_words(question), [text])
    assert [text[start:stop] for start, stop, _ in found] == expected


def test_places_are_those_of_the_index_in_any_text():
    """Whatever the characters are: FTS5 sees as many words as there are places."""
    rng = random.Random(3)
    letters = "ab1_ -'’ée\u0301ñﬁ½²ßİ猫の カｶﾞ가ᄒ\u1161\u11abไทยกี่မြန်មាន\u0f0bक्षिאָشَّ\u200d🦜٣Ａ\0\n…"
    for _ in range(2_000):
        text = "".join(rng.choices(letters, k=rng.randint(1, 12)))
        for word in content_words(text):
            (found,) = occurrences([word], [text])
            assert all(0 <= start < stop <= len(text) for start, stop, _ in found), (text, word)
            assert found or word.isascii(), (text, word)
