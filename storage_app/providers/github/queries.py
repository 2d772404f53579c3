"""The GraphQL texts. Paths go in as variables, never into the text."""

from collections.abc import Sequence
from typing import Final

MOST_FIELDS: Final = 250
MOST_TEXTS: Final = 50

COMMIT: Final = (
    "mutation($i:CreateCommitOnBranchInput!){createCommitOnBranch(input:$i)"
    "{commit{oid tree{oid} committedDate author{name}} ref{name}}}"
)
VERSIONS: Final = (
    "query($o:String!,$n:String!,$c:String!,$p:String!,$k:Int!,$a:String){repository(owner:$o,name:$n)"
    "{object(expression:$c){... on Commit{history(first:$k,after:$a,path:$p){pageInfo{hasNextPage endCursor}"
    "nodes{oid message committedDate author{name} file(path:$p){oid mode}}}}}}}"
)
_TEXT: Final = " object{... on Blob{byteSize isBinary isTruncated text}}"


def state(paths: Sequence[str], with_text: bool = False) -> str:
    """The branch's head, its newest commits, and what is at each path there: in one request."""
    names = "".join(f",$p{index}:String!" for index in range(len(paths)))
    return (
        f"query($o:String!,$n:String!,$b:String!{names}){{repository(owner:$o,name:$n){{isEmpty "
        f"ref(qualifiedName:$b){{target{{... on Commit{{oid tree{{oid}} history(first:10){{nodes{{oid message}}}}"
        f"{_files(len(paths), with_text)}}}}}}}}} rateLimit{{remaining resetAt cost}}}}"
    )


def at_commit(paths: Sequence[str], with_text: bool = False) -> str:
    """What is at each path in a commit that is known."""
    names = "".join(f",$p{index}:String!" for index in range(len(paths)))
    return (
        f"query($o:String!,$n:String!,$c:String!{names}){{repository(owner:$o,name:$n){{object(expression:$c)"
        f"{{... on Commit{{oid{_files(len(paths), with_text)}}}}}}}}}"
    )


def _files(count: int, with_text: bool) -> str:
    text = _TEXT if with_text else ""
    return "".join(f" f{index}:file(path:$p{index}){{mode oid size type{text}}}" for index in range(count))
