"""The screens: home, lesson, free lab, doctor, help. They own the keys, and feed the panes."""
