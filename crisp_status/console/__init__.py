"""The operators' console under `/operator/`: forms for everything that an operator does, without a shell and without script.

`access` says who is signed in and what they may do, `frame` reads forms and renders pages; each other module is one part
of the console. What the forms do is in `api.operations`, shared with the JSON of `/manager/`.
"""
