"""Two processes side by side."""

from __future__ import annotations

from hand_made import lines, mars_and_venus, parsed, texts
from nsedu.draw.compare import compare


def test_each_link_is_equal_or_differs():
    processes = mars_and_venus().processes
    picture = compare(processes[101], processes[103])
    assert str(picture) == lines(
        """
link              this notebook   sandbox "mars"
mnt                     A       =       A         mnt:[4026531830]
uts                     A       ≠       B         uts:[4026531831]  uts:[4026532009]
ipc                     A       =       A         ipc:[4026531832]
pid                     A       =       A         pid:[4026531833]
pid_for_children        A       =       A         pid:[4026531833]
net                     A       =       A         net:[4026531834]
user                    A       ≠       B         user:[4026531835]  user:[4026532008]
cgroup                  A       =       A         cgroup:[4026531836]
time                    A       =       A         time:[4026531837]
time_for_children       A       =       A         time:[4026531837]
8 links equal, 2 differ: uts, user
"""
    )
    assert (texts(picture).count("="), texts(picture).count("≠")) == (8, 2)


def test_a_process_equals_itself():
    process = mars_and_venus().processes[103]
    assert str(compare(process, process)).endswith("10 links equal, none differs")


def test_a_link_known_of_one_only_is_neither_equal_nor_different():
    one, other = list(mars_and_venus().processes.values())[:2]
    other = other._replace(links={k: n for k, n in other.links.items() if k != "uts"})
    text = str(compare(one, other))
    assert "uts                     A       ?    ?     uts:[4026531831]" in text
    assert text.endswith("9 links equal, none differs; 1 known of one only")


def test_two_processes_whose_links_cannot_be_read_are_said_to_be_so():
    process = mars_and_venus().processes[103]._replace(links={})
    picture = compare(process, process)
    assert str(picture).endswith("the links of neither can be read")
    parsed(picture)
