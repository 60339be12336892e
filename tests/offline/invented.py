"""Invented histories, and questions over them in many wordings, with what a right answer contains or begins with.

Made up for these tests; no benchmark's text, template or answer is in here.
"""

GARDEN = [
    (
        "2024/01/06 (Sat) 09:10",
        [
            (
                "user",
                "I'm thinking about keeping bees. I signed up for a beekeeping course at the Harlow allotment today.",
            ),
            ("assistant", "Wonderful! A beekeeping course usually lasts six weeks and covers hives, swarms and honey."),
            ("user", "What should I wear? I've got 2 hens already, so I know a little about keeping animals outside."),
        ],
    ),
    (
        "2024/01/20 (Sat) 18:45",
        [
            ("user", "Any ideas for a small greenhouse? I pay £40 a month for my allotment plot now."),
            ("assistant", "A lean-to greenhouse fits a small plot. Expect to pay about £250."),
            ("user", "By the way, my sister Odile moved to Bristol last week. She used to live in Leeds."),
        ],
    ),
    (
        "2024/02/10 (Sat) 11:00",
        [
            ("user", "I finally put up the greenhouse yesterday, it took the whole day. What grows early?"),
            ("assistant", "Radishes, spinach and peas can be sown in February under glass."),
            ("user", "Great. I'm planning to order a water butt as well, maybe next month."),
        ],
    ),
    (
        "2024/02/28 (Wed) 20:30",
        [
            ("user", "My hens have been noisy. With the three I took over from a neighbour I have 5 hens now."),
            ("assistant", "Five hens need about two square metres of coop and ten of run."),
            ("user", "I usually feed them at 7:30 am before work, and I give them about 600 grams."),
        ],
    ),
    (
        "2024/03/16 (Sat) 08:20",
        [
            ("user", "The water butt was delivered this morning! How do I fit it to the gutter?"),
            ("assistant", "Cut the downpipe at the height of the lid and fit a diverter kit."),
            ("user", "Good. Oh, and I bought a wheelbarrow for £65 and a pair of loppers for £28 on March 9th."),
        ],
    ),
    (
        "2024/04/13 (Sat) 17:05",
        [
            ("user", "I finished the beekeeping course today, what a day! Where do I get a swarm?"),
            ("assistant", "Ask your local association; swarms are given away from late April."),
            ("user", "I now feed the hens at 6:45 am, because they wake up earlier in spring."),
        ],
    ),
    (
        "2024/05/04 (Sat) 10:15",
        [
            (
                "user",
                "A colony of bees arrived two days ago. Odile came over from Cardiff, where she moved in April, to help me.",
            ),
            ("assistant", "Leave the colony in peace for a week before the first inspection."),
            (
                "user",
                "My allotment rent went up, I'm paying £52 a month since May. And I gave away a hen, so four hens are left.",
            ),
        ],
    ),
    (
        "2024/05/25 (Sat) 21:00",
        [
            (
                "user",
                "I visited three garden shows this spring: Malvern, Chatsworth and Hyde Hall. Which should I see next?",
            ),
            ("assistant", "Try the show at Tatton Park in July."),
            ("user", "I spent two hours weeding on Monday and 90 minutes weeding on Thursday, so my back hurts."),
        ],
    ),
]

MUSIC = [
    (
        "2023/08/31 (Thu) 19:00",
        [
            ("user", "I just got home with my first accordion, a used Hohner. Any beginners' books?"),
            ("assistant", "For accordion beginners I would take the Palmer-Hughes course, book one."),
            ("user", "Thanks! I'm 34, is that too old to begin?"),
        ],
    ),
    (
        "2023/09/14 (Thu) 21:30",
        [
            ("user", "I had my first accordion lesson with Mr. Petrov today. How long should I practise?"),
            ("assistant", "Twenty minutes a day are better than two hours on Sunday."),
            (
                "user",
                "I practise 15 minutes a day so far. My commute by bus takes 50 minutes, so I am tired in the evening.",
            ),
        ],
    ),
    (
        "2023/10/12 (Thu) 20:10",
        [
            ("user", "How do I stop my wrist from hurting? I practise 30 minutes a day now."),
            ("assistant", "Rest your wrist and lower the strap."),
            ("user", "Last Sunday I played at my uncle's birthday party in Graz, my first time before people!"),
        ],
    ),
    (
        "2023/11/09 (Thu) 22:00",
        [
            (
                "user",
                "I joined the folk orchestra 'Almrausch' three weeks ago, and they are lovely. What is a Ländler?",
            ),
            ("assistant", "A Ländler is a slow dance in three-four time."),
            ("user", "We rehearse on Tuesdays in the parish hall. I've also changed jobs, I work as a surveyor now."),
        ],
    ),
    (
        "2023/12/15 (Fri) 18:00",
        [
            (
                "user",
                "Our orchestra gave its Advent concert on December 10th in the Minorite church. I was so nervous!",
            ),
            ("assistant", "Congratulations on your concert!"),
            (
                "user",
                "The next rehearsals are moved to Fridays, in the school gym. My record for the long passage is 3:40.",
            ),
        ],
    ),
    (
        "2024/01/18 (Thu) 20:00",
        [
            (
                "user",
                "I ordered a Pigini this morning, and yesterday I sold the Hohner. Which bag fits a Pigini with 96 bass?",
            ),
            ("assistant", "The Fuselli 96 bag fits most Pigini models with 96 bass buttons."),
            (
                "user",
                "Since I cycle to work now, my commute takes 20 minutes. My best time for the long passage is 3:12 now.",
            ),
        ],
    ),
    (
        "2024/02/15 (Thu) 19:45",
        [
            ("user", "The Pigini came on February 8th, and it sounds splendid. How often must it be tuned?"),
            ("assistant", "An accordion is tuned every five to ten years."),
            ("user", "I lent my metronome to my colleague Ruth, and I watched 'The Red Violin' last night."),
        ],
    ),
    (
        "2024/03/07 (Thu) 21:10",
        [
            ("user", "I watched the film 'Tous les matins du monde' two weeks ago; any films like it?"),
            ("assistant", "You might like 'Farinelli' or 'The Red Violin'."),
            (
                "user",
                "I've played in four concerts so far this season. My cousin Emil turned 40 on March 2nd, I gave him a drum.",
            ),
        ],
    ),
]

SPORT = [
    ("2022/05/02 (Mon) 07:30", [
        ("user", "I started training for a triathlon today. My 5K takes me 31 minutes."),
        ("assistant", "Build up slowly and swim twice a week."),
        ("user", "My membership at the Neptune pool costs $45 a month. I swim on Wednesdays."),
    ]),
    ("2022/05/21 (Sat) 15:00", [
        ("user", "I hurt my knee at the climbing hall last Thursday. Can I go on cycling?"),
        ("assistant", "Gentle cycling is usually fine; see a physiotherapist."),
        ("user", "I own 3 bicycles, but only the Bianchi has low gears."),
    ]),
    ("2022/06/11 (Sat) 12:40", [
        ("user", "I saw the physiotherapist, Dr. Salgado, on Tuesday. She gave me four exercises. What is a foam roller for?"),
        ("assistant", "A foam roller loosens the muscles along the thigh."),
        ("user", "I attended a yoga class in Porto last weekend and a pilates class in Braga yesterday."),
    ]),
    ("2022/07/03 (Sun) 19:20", [
        ("user", "I swam in the lake for the first time today: 1,200 metres! How do I sight a buoy?"),
        ("assistant", "Lift your eyes above the water every eight strokes."),
        ("user", "I took part in the charity run 'Miles for Meals' a week ago today, with my neighbour Inês."),
    ]),
    ("2022/08/14 (Sun) 16:00", [
        ("user", "I did it, I finished the triathlon in Aveiro today in 3 hours! What should I eat now?"),
        ("assistant", "Carbohydrates and protein within the first hour."),
        ("user", "My 5K takes 26 minutes these days. I gave my old mountain bike to my nephew, so I own two bicycles now."),
    ]),
    ("2022/09/10 (Sat) 09:00", [
        ("user", "I've left the Neptune pool for the Atlantis pool, it is $38 a month. I swim there on Mondays."),
        ("assistant", "A new pool can be a fresh start."),
        ("user", "I adopted a greyhound called Tejo on September 3rd. He is five years old."),
    ]),
    ("2022/10/01 (Sat) 10:30", [
        ("user", "I booked flights to Madeira this morning for $180, and a guesthouse for $240. Which levada walk is flat?"),
        ("assistant", "The Levada do Rei is long but almost flat."),
        ("user", "I have run two half marathons this year: the one in Faro in March and the one in Lagos on September 18th."),
    ]),
]  # fmt: skip

# history, question, day of asking, what the answer holds ("^": begins with)
QUESTIONS = [
    (GARDEN, "How many days passed between the day I put up the greenhouse and the day the water butt was delivered?",
     "2024/06/01", "^36 days"),
    (GARDEN, "How many weeks did the beekeeping course take me, from signing up to finishing it?", "2024/06/01", "^14 weeks"),
    (GARDEN, "How many days after the end of my beekeeping course did the colony of bees arrive?", "2024/06/01", "^19 days"),
    (GARDEN, "How long after I put up the greenhouse did I buy the wheelbarrow?", "2024/06/01", "^4 weeks"),
    (GARDEN, "Which happened first: the delivery of the water butt or the arrival of the bees?", "2024/06/01", "^Delivery of the water butt"),
    (GARDEN, "Did I put up the greenhouse before or after I signed up for the beekeeping course?", "2024/06/01", "^After"),
    (GARDEN, "How many months ago did I sign up for the beekeeping course?", "2024/06/06", "^5 months"),
    (GARDEN, "How long ago was the wheelbarrow bought?", "2024/03/30", "^3 weeks"),
    (GARDEN, "How many hens do I have?", "2024/06/01", "four hens"),
    (GARDEN, "How many hens did I have at first?", "2024/06/01", "2 hens"),
    (GARDEN, "Where does my sister Odile live?", "2024/06/01", "Cardiff"),
    (GARDEN, "Where did Odile live before she moved to Bristol?", "2024/06/01", "Leeds"),
    (GARDEN, "What do I pay per month for the allotment?", "2024/06/01", "£52"),
    (GARDEN, "What was the monthly price of my allotment plot previously?", "2024/06/01", "£40"),
    (GARDEN, "At what time do I feed the hens these days?", "2024/06/01", "6:45 am"),
    (GARDEN, "How much did the wheelbarrow and the loppers cost me altogether?", "2024/06/01", "^£93"),
    (GARDEN, "How many hours in all did I spend weeding?", "2024/06/01", "^3.5 hours"),
    (GARDEN, "How much more does the allotment cost me a month than it did in January?", "2024/06/01", "^£12"),
    (GARDEN, "On what date did I put up the greenhouse?", "2024/06/01", "^9 February 2024"),
    (GARDEN, "What was delivered on the 16th of March?", "2024/06/01", "water butt"),
    (GARDEN, "What did I buy on March 9th?", "2024/06/01", "wheelbarrow"),
    (GARDEN, "How many garden shows have I visited?", "2024/06/01", "three garden shows"),
    (MUSIC, "How many weeks were there between my first accordion lesson and the Advent concert?", "2024/03/20", "^12 weeks"),
    (MUSIC, "How many days had I owned the accordion when I took my first lesson?", "2024/03/20", "^14 days"),
    (MUSIC, "For how long had I been in the orchestra 'Almrausch' by the time of the Advent concert?", "2024/03/20", "^7 weeks"),
    (MUSIC, "Since when have I been a member of 'Almrausch'?", "2024/03/20", "19 October 2023"),
    (MUSIC, "How many days before its arrival had I ordered the Pigini?", "2024/03/20", "^21 days"),
    (MUSIC, "Which film did I watch first, 'The Red Violin' or 'Tous les matins du monde'?", "2024/03/20", "^The Red Violin"),
    (MUSIC, "Of the Hohner and the Pigini, which did I get more recently?", "2024/03/20", "^The Pigini"),
    (MUSIC, "What came earlier, my uncle's birthday party or joining the orchestra?", "2024/03/20", "^My uncle's birthday party"),
    (MUSIC, "How many minutes a day do I practise?", "2024/03/20", "30 minutes a day"),
    (MUSIC, "How long was my commute before I cycled to work?", "2024/03/20", "50 minutes"),
    (MUSIC, "How long is my commute?", "2024/03/20", "20 minutes"),
    (MUSIC, "On which day of the week does the orchestra rehearse?", "2024/03/20", "Fridays"),
    (MUSIC, "Where are the rehearsals held now?", "2024/03/20", "school gym"),
    (MUSIC, "What is my best time for the long passage?", "2024/03/20", "3:12"),
    (MUSIC, "When did I play at my uncle's party?", "2024/03/20", "^8 October 2023"),
    (MUSIC, "How old was I when I got my first accordion?", "2024/03/20", "34"),
    (MUSIC, "How many concerts have I played in?", "2024/03/20", "four concerts"),
    (MUSIC, "Where did I perform last Sunday?", "2023/10/12", "Graz"),
    (MUSIC, "How many days ago did the Pigini come?", "2024/02/29", "^21 days"),
    (MUSIC, "What is the colour of my violin?", "2024/03/20", "I don't know"),
    (SPORT, "How many weeks did I train before I finished the triathlon?", "2022/10/10", "^15 weeks"),
    (SPORT, "How many days went by from my knee injury to the visit to the physiotherapist?", "2022/10/10", "^19 days"),
    (SPORT, "How long did I wait between hurting my knee and seeing Dr. Salgado?", "2022/10/10", "^3 weeks"),
    (SPORT, "What is the number of days between the charity run and my first swim in the lake?", "2022/10/10", "^7 days"),
    (SPORT, "How many weeks ago did I take part in 'Miles for Meals'?", "2022/07/24", "^4 weeks"),
    (SPORT, "Which class was earlier, the yoga class or the pilates class?", "2022/10/10", "^Yoga class"),
    (SPORT, "Did I adopt Tejo before or after the triathlon?", "2022/10/10", "^After"),
    (SPORT, "Which pool do I swim at currently?", "2022/10/10", "Atlantis"),
    (SPORT, "How much is my pool membership per month?", "2022/10/10", "$38"),
    (SPORT, "What day do I go swimming?", "2022/10/10", "Mondays"),
    (SPORT, "How many bicycles do I own?", "2022/10/10", "two bicycles"),
    (SPORT, "How fast is my 5K at the moment?", "2022/10/10", "26 minutes"),
    (SPORT, "What was my 5K time when I began training?", "2022/10/10", "31 minutes"),
    (SPORT, "What is the total price of the flights and the guesthouse?", "2022/10/10", "^$420"),
    (SPORT, "How many half marathons have I run this year?", "2022/10/10", "two half marathons"),
    (SPORT, "How many days have passed since I adopted my greyhound?", "2022/10/01", "^28 days"),
    (SPORT, "In which month did I finish the triathlon?", "2022/10/10", "August 2022"),
    (SPORT, "Who ran with me at the charity run?", "2022/10/10", "Inês"),
    (SPORT, "How many pets named Tejo did I sell in Lisbon?", "2022/10/10", "I don't know"),
    (SPORT, "How many days before the triathlon did I take part in 'Miles for Meals'?", "2022/10/10", "^49 days"),
]  # fmt: skip
