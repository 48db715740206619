"""The kinds of question: each file holds the sentences that ask one and how it is answered."""
