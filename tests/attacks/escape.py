#=== subclasses of object | stopped: Error
print(().__class__.__base__.__subclasses__())
#=== the method resolution order | stopped: Error
print("".__class__.__mro__[1].__subclasses__())


#=== globals of a function | stopped: Error
def f():
    pass


print(f.__globals__["__builtins__"])
#=== globals of a host function | stopped: Error
print(llm_query.__globals__)
#=== the code of a host function | stopped: Error
print(search_history.__code__.co_consts, search_history.__closure__)
#=== the object behind a method | stopped: Error
print(search_history.__self__.store)
#=== the type of a host function | harmless: function
print(type(llm_query))
#=== builtins by name | stopped: Error
print(__builtins__)
#=== builtins as a module | stopped: ModuleNotFoundError
import builtins

builtins.print = None
#=== __import__ | stopped: Error
__import__("os").system("true")
#=== __import__ by eval | stopped: Error
eval("__import__('os').system('true')")
#=== an import by exec | stopped: ModuleNotFoundError
exec("import subprocess")
#=== compile | stopped: Error
exec(compile("1", "x", "exec"))
#=== getattr with a built name | stopped: Error
print(getattr((), "__cl" + "ass__").__base__)
#=== formatting reaches attributes | stopped: Error
print("{0.__class__.__init__.__globals__}".format(llm_query))
#=== an exception's traceback | stopped: Error
try:
    1 / 0
except ZeroDivisionError as e:
    print(e.__traceback__.tb_frame.f_globals)


#=== a class that reaches out of itself | stopped: Error
class A:
    def __init_subclass__(cls):
        pass


print(A.__class__.__call__.__globals__)
#=== patching print | harmless: hello
real = print


def print(*a):
    real("hello", *a)


print()


#=== patching len | harmless: 7
def len(x):
    return 7


print(len(sessions))
#=== our helpers' names | harmless: mine
_rlm_host = "mine"
_rlm_make = None
print(_rlm_host)
#=== replacing a helper, then using it | stopped: Error
_rlm_host = None
import re

print(re.sub("a", lambda m: "b", "a"))
x = 1
del x
_rlm_host.delete_item = 1
#=== the awaiting name of a sub-agent | harmless: function
print(type(_rlm_later_llm_query))
#=== an awaiting call that nobody awaits | harmless: left
f = _rlm_later_llm_query("x")
print("left")
#=== changing a module of ours | harmless: 5
import statistics

statistics.mean = lambda xs: 5
print(statistics.mean([1]))
#=== unicode look-alikes | stopped: Error
ｏｓ = 1
ｅｘｅｃ("ｉmport os")
print(ｏｐｅｎ("/etc/passwd").read())
#=== right-to-left marks in names and texts | harmless: Lisbon
access = "user\u202e\u2066"
print("Lisbon", len(access))
#=== a NUL byte in the source | stopped: Error
eval("1\x00+1")
#=== a lone surrogate | harmless: kept
x = "\ud800"
print("kept")
#=== a lone surrogate to a host function | stopped:
search_history("\ud800")
llm_query("\ud800")
raise ValueError("done")
#=== a lone surrogate as the answer | harmless:
FINAL("\ud800")
