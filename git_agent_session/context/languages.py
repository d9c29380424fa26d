"""Which language a path's name tells, as data; a name that is not known counts under its extension."""

from __future__ import annotations

_TABLE = """
Ada: adb ads | Assembly: asm s | Astro: astro | C: c h | C#: cs | C++: cc cpp cxx hh hpp hxx | CMake: cmake
CSS: css | Clojure: clj cljc cljs | CoffeeScript: coffee | Crystal: cr | D: d | Dart: dart | Elixir: ex exs
Elm: elm | Erlang: erl hrl | F#: fs fsi fsx | Fortran: f f90 f95 | GLSL: frag glsl vert | Go: go
GraphQL: gql graphql | Groovy: gradle groovy | HCL: hcl tf tfvars | HTML: htm html | Haskell: hs lhs | INI: cfg ini
JSON: json json5 jsonc jsonl | Java: java | JavaScript: cjs js jsx mjs | Julia: jl | Jupyter: ipynb | Kotlin: kt kts
LaTeX: bib sty tex | Less: less | Lisp: el lisp lsp scm | Lua: lua | Markdown: markdown md mdx | Nim: nim | Nix: nix
OCaml: ml mli | Objective-C: m mm | PHP: php | Pascal: pas | Perl: pl pm | PowerShell: ps1 psm1 | Prolog: pro
Protobuf: proto | Python: py pyi pyx | R: r rmd | Ruby: erb gemspec rake rb | Rust: rs | SQL: sql | Sass: sass scss
Scala: sc scala | Shell: bash fish sh zsh | Solidity: sol | Svelte: svelte | Swift: swift | TOML: toml | Text: rst txt
TypeScript: cts mts ts tsx | Verilog: sv v vh | VHDL: vhd vhdl | Vim script: vim | Vue: vue | XML: xml xsd xsl
YAML: yaml yml | Zig: zig
"""
_BY_EXTENSION = {
    extension: name.strip()
    for name, _, extensions in (entry.partition(":") for line in _TABLE.split("\n") for entry in line.split("|"))
    for extension in extensions.split()
}
_BY_NAME = {
    "makefile": "Make",
    "gnumakefile": "Make",
    "dockerfile": "Dockerfile",
    "gemfile": "Ruby",
    "rakefile": "Ruby",
}


def language(path: str) -> str:
    """The language of the file at `path`, `.ext` where the extension is not known, `other` where there is none."""
    name = path.rpartition("/")[2].lower()
    stem, dot, extension = name.rpartition(".")
    if not dot or not stem:
        return _BY_NAME.get(name, "other")
    return _BY_EXTENSION.get(extension) or (
        f".{extension}" if extension.isalnum() and len(extension) <= 10 else "other"
    )
