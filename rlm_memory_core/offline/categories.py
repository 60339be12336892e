"""Categories: everyday words for kinds of things, and some of what belongs to each ("relative": aunt, cousin).

A question often names the kind where the history names the thing. A short
table of plain English; no names, brands or titles.
"""

from __future__ import annotations

from collections.abc import Collection

from .words import stem

_TABLE = """
relative family: mother father parent sister brother cousin aunt uncle niece nephew grandmother grandfather son daughter
instrument: guitar piano violin ukulele drum flute cello trumpet keyboard saxophone accordion harp clarinet banjo
jewelry jewellery: necklace ring bracelet earring brooch pendant watch
furniture: couch table chair desk bookshelf shelf dresser bed mattress cabinet wardrobe lamp rug
clothes clothing garment outfit: shirt dress jacket coat jeans sweater skirt blouse trousers hoodie suit
shoes footwear: sneaker boot sandal heel slipper loafer
pet animal: dog cat hamster rabbit parrot puppy kitten goldfish horse hen tortoise
appliance: blender toaster oven fridge refrigerator microwave dishwasher kettle mixer fryer vacuum
device gadget electronics: phone laptop tablet headphone camera printer router speaker console
sport game: tennis soccer football basketball volleyball golf hockey baseball rugby badminton cricket
fruit: apple banana orange strawberry mango peach pear cherry grape lemon
vegetable: tomato cucumber carrot onion pepper lettuce spinach potato broccoli
meal: breakfast lunch dinner brunch
dessert sweet: cake pie cookie brownie cupcake pudding tart
drink beverage: coffee tea wine beer juice cocktail smoothie
plant: flower rose fern succulent basil orchid lily cactus herb
doctor specialist: dentist dermatologist therapist surgeon cardiologist physiotherapist pediatrician optometrist
illness disease: flu cold fever bronchitis sinusitis infection pneumonia migraine
race: marathon triathlon 5k 10k
event celebration occasion: wedding birthday graduation funeral concert festival party anniversary baptism engagement
gathering: party reunion picnic barbecue bbq potluck meetup
exercise: run jog yoga swim gym cycling pilates
art artwork: painting sculpture print drawing mural
vehicle: truck van motorcycle scooter bike
accommodation: hotel hostel apartment cabin guesthouse resort
craft hobby: knitting pottery woodworking sewing crochet painting photography gardening
document: passport license certificate contract
reading: book novel memoir magazine
color: red green blue yellow white black grey gray brown purple pink orange beige turquoise navy teal silver gold
job: work baker teacher nurse engineer analyst manager designer accountant assistant waiter developer promotion hire
crockery pot: bowl mug cup plate vase jug
earn: sell salary wage
weigh weight: kilogram pound lb
lesson: class course
class: lesson course
course: class lesson
live: move settle
own: buy adopt
work: job hire
perform: play
"""

_KINDS: dict[str, tuple[str, ...]] = {}
for _line in _TABLE.strip().splitlines():
    _names, _, _members = _line.partition(":")
    for _member in _members.split():
        _KINDS[stem(_member)] = (*_KINDS.get(stem(_member), ()), *map(stem, _names.split()))


def kind_among(word: str, terms: Collection[str]) -> str | None:
    """The one of these terms that names a kind to which a word belongs, or None.

    Args:
        word: A word, reduced to its stem.
        terms: Stems too.

    >>> kind_among(stem("cousins"), {stem("relatives")}) == stem("relative")
    True
    """
    return next((kind for kind in _KINDS.get(word, ()) if kind in terms), None)
