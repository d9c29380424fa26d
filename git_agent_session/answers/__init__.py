"""Answers to what people ask of code: which session wrote this line, what was asked, who else had a hand in it.

    from git_agent_session.answers import blame, why
    from git_agent_session.answers.options import Options

    for line in blame.blame(store, "src/app.py").lines(): ...
    for answer in why.of_lines(store, "src/app.py", Options(("12,12",))): ...

It reads: git's blame, the notes, the sessions that are here. What cannot be known is said to be unknown.
"""
