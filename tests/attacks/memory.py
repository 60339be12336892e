#=== a long string | stopped: memory
x = "a" * 10**11
#=== a growing list | stopped: memory
x = []
while True:
    x.append("a" * 10**6)
#=== a growing string | stopped: memory
x = "a"
while True:
    x += x
#=== a list of lists | stopped: memory
x = [[0] * 1000 for _ in range(10**7)]
#=== a padded number | stopped:
print("%1000000000d" % 1)
#=== a padded f-string | stopped:
print(f"{1:1000000000d}")
#=== a padded text | stopped:
"x".ljust(10**10)
#=== a range as a list | stopped:
list(range(10**12))
#=== a growing dict | stopped:
d = {}
i = 0
while True:
    d[i] = str(i) * 100
    i += 1
#=== a growing set of bytes | stopped: memory
b = b"x" * 10**10


#=== deep recursion | stopped: RecursionError
def f(n):
    return f(n + 1)


f(0)


#=== recursion that catches its end | stopped:
def f():
    try:
        f()
    except RecursionError:
        f()
    f()


f()
while True:
    pass
#=== deep nesting of lists | harmless: built
x = []
for _ in range(10**5):
    x = [x]
print("built")
#=== a deeply nested answer | harmless:
x = []
for _ in range(10**4):
    x = [x]
FINAL(x)
#=== a list that holds itself | harmless: itself
x = []
x.append(x)
print(x, "itself")
#=== a list that holds itself to a sub-agent | stopped:
x = []
x.append(x)
llm_query(x)
#=== a list that holds itself as the answer | harmless:
x = []
x.append(x)
FINAL(x)
#=== printing for ever | stopped:
while True:
    print("x" * 100000)
#=== printing many small things | stopped:
while True:
    print(1, end="")
#=== printing one large thing | harmless: characters cut
print("x" * 5 * 10**6)
#=== a huge answer | harmless:
FINAL("x" * 3 * 10**7)
#=== joining | stopped: memory
",".join(["x" * 10**6] * 10**6)
#=== deep expressions | stopped:
eval("(" * 5000 + "1" + ")" * 5000)
#=== a long chain of attributes | stopped:
eval("x" + ".a" * 100000)
#=== many names | stopped:
for i in range(10**9):
    exec(f"v{i} = 'x' * 1000")
