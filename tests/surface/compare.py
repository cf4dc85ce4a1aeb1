"""Compares the public surface of annulus with tokio's, from what rustdoc says in JSON.

    compare.py TOKIO ANNULUS REAL REASONS

TOKIO is tokio with all features, REAL is tokio as annulus uses it: what annulus re-exports is
looked up there. Every public item becomes lines of one form, whatever the source called its
parameters and wherever it is defined:

    fn crate::time::sleep(core::time::Duration) -> crate::time::Sleep
    impl core::fmt::Debug for crate::time::Sleep
    auto crate::time::Sleep: !Unpin

A line of tokio's that annulus lacks must have a line in REASONS that begins like it, up to ` | `,
and says why. Where a signature differs, annulus' is printed beneath.
"""

import json
import sys

FORMAT = 57
AUTO = ("Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe")
# The compiler's own, which no program can name; and Drop, which is no bound that means anything.
HIDDEN = ("StructuralPartialEq", "Freeze", "UnsafeUnpin", "Drop")
# One type under two names.
ALIASES = {"std::os::raw::c_int": "core::ffi::primitives::c_int"}


class Doc:
    """One crate as rustdoc sees it."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        if data["format_version"] != FORMAT:
            sys.exit(f"{path}: format {data['format_version']}, this script reads {FORMAT}")
        self.index = data["index"]
        self.paths = data["paths"]
        self.root = data["root"]
        self.by_definition = {
            "::".join(entry["path"]): key
            for key, entry in self.paths.items()
            if entry["crate_id"] == 0
        }

    def item(self, key):
        return self.index.get(str(key))

    def definition(self, key):
        entry = self.paths.get(str(key))
        return "::".join(entry["path"]) if entry else None


class Surface:
    """The public paths of a crate, and of what it re-exports from `real`."""

    def __init__(self, doc, real=None, prefer=()):
        self.doc, self.real = doc, real
        # (doc, id) to its public paths, and a path to what stands there.
        self.public, self.at = {}, {}
        self.walk(doc, doc.root, "crate", ())
        self.canonical = {}
        for (home, key), paths in self.public.items():
            best = min(paths, key=lambda path: (path not in prefer, path.count("::"), path))
            self.canonical[id(home), key] = best

    def walk(self, doc, key, path, above):
        item = doc.item(key)
        kind, inner = next(iter(item["inner"].items()))
        if kind == "use":
            target, name = inner["id"], path.rpartition("::")[0] + "::" + inner["name"]
            if inner["is_glob"]:
                for child in doc.item(target)["inner"]["module"]["items"]:
                    self.enter(doc, child, path.rpartition("::")[0], above)
            elif doc.item(target):
                self.walk(doc, target, name, above)
            else:
                definition = doc.definition(target) or inner["source"]
                found = self.real and self.real.by_definition.get(definition)
                if found and self.real.item(found):
                    self.walk(self.real, int(found), name, above)
                else:
                    self.at[name] = (None, definition)
            return
        self.at[path] = (doc, key)
        self.public.setdefault((doc, key), []).append(path)
        if kind == "module" and (doc, key) not in above:
            for child in inner["items"]:
                self.enter(doc, child, path, above + ((doc, key),))

    def enter(self, doc, key, path, above):
        item = doc.item(key)
        if item is None or item["visibility"] != "public":
            return
        if "#[doc(hidden)]" in json.dumps(item["attrs"]):
            return
        self.walk(doc, key, f"{path}::{item['name'] or ''}", above)

    def name(self, doc, key, written):
        """The name of a type or trait, the same in every crate."""
        known = self.canonical.get((id(doc), key))
        if known:
            return known
        definition = doc.definition(key)
        if doc.item(key) is None and self.real and definition:
            found = self.real.by_definition.get(definition)
            known = found and self.canonical.get((id(self.real), int(found)))
            if known:
                return known
        if definition is None or definition.split("::")[0] in ("tokio", "annulus"):
            return "(private)"
        return ALIASES.get(definition, definition)


class Names:
    """Parameters and lifetimes of one item, by the order in which they appear."""

    def __init__(self, above=None):
        self.types = dict(above.types) if above else {}
        self.lifetimes = dict(above.lifetimes) if above else {}
        self.count = above.count if above else 0
        self.elided = None  # What an elided lifetime means, where it has a meaning.
        self.seen = []

    def declare(self, generics):
        for param in generics["params"]:
            kind = param["kind"]
            if "lifetime" not in kind and not kind.get("type", {}).get("is_synthetic"):
                self.types[param["name"]] = f"T{len(self.types)}"

    def lifetime(self, name):
        if name == "'static":
            return name
        if name in (None, "'_"):
            if self.elided:
                return self.elided
            self.count += 1
            given = f"'l{self.count}"
        else:
            if name not in self.lifetimes:
                self.count += 1
                self.lifetimes[name] = f"'l{self.count}"
            given = self.lifetimes[name]
        if given not in self.seen:
            self.seen.append(given)
        return given


class Render:
    """Items as lines."""

    def __init__(self, surface, doc):
        self.surface, self.doc = surface, doc

    def type(self, ty, names):
        if ty is None:
            return "()"
        (kind, inner), = ty.items()
        if kind == "resolved_path":
            return self.path(inner, names)
        if kind == "generic":
            return names.types.get(inner, inner)
        if kind == "primitive":
            return inner
        if kind == "tuple":
            parts = [self.type(part, names) for part in inner]
            return "(" + ", ".join(parts) + ("," if len(parts) == 1 else "") + ")"
        if kind == "slice":
            return "[" + self.type(inner, names) + "]"
        if kind == "array":
            return f"[{self.type(inner['type'], names)}; {inner['len']}]"
        if kind == "borrowed_ref":
            lifetime = names.lifetime(inner["lifetime"])
            mutable = "mut " if inner["is_mutable"] else ""
            return f"&{lifetime} {mutable}{self.type(inner['type'], names)}"
        if kind == "raw_pointer":
            return ("*mut " if inner["is_mutable"] else "*const ") + self.type(inner["type"], names)
        if kind == "impl_trait":
            return "impl " + " + ".join(sorted(self.bound(b, names) for b in inner))
        if kind == "dyn_trait":
            parts = [self.path(entry["trait"], names) for entry in inner["traits"]]
            if inner["lifetime"]:
                parts.append(names.lifetime(inner["lifetime"]))
            return "dyn " + " + ".join(sorted(parts))
        if kind == "qualified_path":
            of = self.type(inner["self_type"], names)
            if not inner["trait"]:
                return f"{of}::{inner['name']}"
            return f"<{of} as {self.path(inner['trait'], names)}>::{inner['name']}"
        if kind == "function_pointer":
            return self.signature(inner["sig"], inner["header"], names)
        return json.dumps(ty, sort_keys=True)

    def path(self, path, names):
        name = self.surface.name(self.doc, path["id"], path["path"])
        args = path["args"]
        parts, more = [], ""
        if args and "angle_bracketed" in args:
            for arg in args["angle_bracketed"]["args"]:
                if "type" in arg:
                    parts.append(self.type(arg["type"], names))
                elif "lifetime" in arg:
                    parts.append(names.lifetime(arg["lifetime"]))
                else:
                    parts.append(arg["const"]["expr"] if "const" in arg else "_")
            for constraint in args["angle_bracketed"]["constraints"]:
                binding = constraint["binding"]
                if "equality" in binding:
                    term = binding["equality"]
                    value = self.type(term["type"], names) if "type" in term else "_"
                    parts.append(f"{constraint['name']} = {value}")
                else:
                    bounds = sorted(self.bound(b, names) for b in binding["constraint"])
                    parts.append(f"{constraint['name']}: {' + '.join(bounds)}")
        elif args and "parenthesized" in args:
            inner = args["parenthesized"]
            inputs = ", ".join(self.type(ty, names) for ty in inner["inputs"])
            output = self.type(inner["output"], names)
            more = f"({inputs}) -> {output}"
        # Lifetimes that the source leaves out.
        item = self.doc.item(path["id"])
        if item and not any(part.startswith("'") for part in parts):
            (_, inner), = item["inner"].items()
            generics = inner.get("generics") if isinstance(inner, dict) else None
            hidden = [p for p in (generics or {"params": []})["params"] if "lifetime" in p["kind"]]
            parts = [names.lifetime(None) for _ in hidden] + parts
        if name == "std::io::error::Result":
            name, parts = "core::result::Result", parts + ["std::io::error::Error"]
        return name + more + (f"<{', '.join(parts)}>" if parts else "")

    def bound(self, bound, names):
        if "trait_bound" in bound:
            inner = bound["trait_bound"]
            sign = {"none": "", "maybe": "?", "maybe_const": "~const "}[inner["modifier"]]
            return sign + self.path(inner["trait"], names)
        if "outlives" in bound:
            return names.lifetime(bound["outlives"])
        return json.dumps(bound, sort_keys=True)

    def where(self, generics, names):
        """Every bound on its own, inline or not, sorted."""
        found = set()
        for param in generics["params"]:
            kind = param["kind"]
            if "type" in kind and not kind["type"]["is_synthetic"]:
                of = names.types[param["name"]]
                found |= {f"{of}: {self.bound(b, names)}" for b in kind["type"]["bounds"]}
            elif "lifetime" in kind:
                for outlived in kind["lifetime"]["outlives"]:
                    found.add(f"{names.lifetime(param['name'])}: {names.lifetime(outlived)}")
            elif "const" in kind:
                found.add(f"const {names.types[param['name']]}: {self.type(kind['const']['type'], names)}")
        for predicate in generics["where_predicates"]:
            if "bound_predicate" in predicate:
                inner = predicate["bound_predicate"]
                of = self.type(inner["type"], names)
                found |= {f"{of}: {self.bound(b, names)}" for b in inner["bounds"]}
            elif "lifetime_predicate" in predicate:
                inner = predicate["lifetime_predicate"]
                for outlived in inner["outlives"]:
                    found.add(f"{names.lifetime(inner['lifetime'])}: {names.lifetime(outlived)}")
            else:
                found.add(json.dumps(predicate, sort_keys=True))
        return " where " + ", ".join(sorted(found)) if found else ""

    def signature(self, sig, header, names):
        names.seen = []
        inputs, of_self = [], None
        for name, ty in sig["inputs"]:
            before = len(names.seen)
            inputs.append(self.type(ty, names))
            if name == "self" and len(names.seen) > before and inputs[-1].startswith(("&", "core::pin::Pin<&")):
                of_self = names.seen[before]
        # What elided lifetimes of the output mean.
        names.elided = of_self or (names.seen[0] if len(names.seen) == 1 else None)
        output = self.type(sig["output"], names)
        names.elided = None
        return f"({', '.join(inputs)}) -> {output}"

    def function(self, path, item, above=None):
        inner = item["inner"]["function"]
        names = Names(above)
        names.declare(inner["generics"])
        header = inner["header"]
        signature = self.signature(inner["sig"], header, names)
        words = [word for word in ("const", "async", "unsafe") if header[f"is_{word}"]]
        return f"fn {path}{signature}{self.where(inner['generics'], names)}" + "".join(
            f" [{word}]" for word in words
        )

    def attributes(self, item):
        text = json.dumps(item["attrs"])
        return " [non_exhaustive]" if "non_exhaustive" in text else ""

    def item(self, path, key):
        item = self.doc.item(key)
        (kind, inner), = item["inner"].items()
        names = Names()
        if kind in ("struct", "enum", "union", "trait", "type_alias"):
            names.declare(inner["generics"])
        if kind == "module":
            yield f"mod {path}"
        elif kind == "function":
            yield self.function(path, item)
        elif kind in ("macro", "proc_macro"):
            yield f"macro {path}"
        elif kind in ("constant", "static"):
            yield f"{kind} {path}: {self.type(inner['type'], names)}"
        elif kind == "type_alias":
            yield f"type {path} = {self.type(inner['type'], names)}"
        elif kind == "trait":
            bounds = sorted(self.bound(b, names) for b in inner["bounds"])
            bounds = ": " + " + ".join(bounds) if bounds else ""
            yield f"trait {path}{bounds}{self.where(inner['generics'], names)}"
            for child in inner["items"]:
                yield from self.member(path, child, names, True)
            for child in inner["implementations"]:
                yield from self.implementation(path, child, True)
        elif kind in ("struct", "enum"):
            params = f"<{', '.join(names.types.values())}>" if names.types else ""
            yield f"{kind} {path}{params}{self.where(inner['generics'], names)}{self.attributes(item)}"
            if kind == "struct":
                yield from self.fields(path, inner["kind"], names)
            for child in inner.get("variants", []):
                variant = self.doc.item(child)
                yield f"variant {path}::{variant['name']}{self.attributes(variant)}"
                yield from self.fields(f"{path}::{variant['name']}", variant["inner"]["variant"]["kind"], names, True)
            for child in inner["impls"]:
                yield from self.implementation(path, child, False)

    def fields(self, path, kind, names, all_public=False):
        if kind == "unit":
            yield f"unit {path}"
            return
        if kind == "plain":
            return
        children = kind["tuple"] if "tuple" in kind else (kind.get("plain") or kind.get("struct"))["fields"]
        for child in children:
            field = child is not None and self.doc.item(child)
            if field and (all_public or field["visibility"] == "public"):
                yield f"field {path}::{field['name']}: {self.type(field['inner']['struct_field'], names)}"

    def member(self, path, key, names, everything):
        item = self.doc.item(key)
        if item is None or (not everything and item["visibility"] != "public"):
            return
        if "#[doc(hidden)]" in json.dumps(item["attrs"]):
            return
        (kind, inner), = item["inner"].items()
        child = f"{path}::{item['name']}"
        if kind == "function":
            yield self.function(child, item, names)
        elif kind == "assoc_type":
            bounds = sorted(self.bound(b, names) for b in inner["bounds"])
            yield f"type {child}{': ' + ' + '.join(bounds) if bounds else ''}"
        elif kind == "assoc_const":
            yield f"const {child}: {self.type(inner['type'], names)}"

    def implementation(self, path, key, of_trait):
        item = self.doc.item(key)
        inner = item["inner"]["impl"]
        if inner["blanket_impl"]:
            return
        names = Names()
        names.declare(inner["generics"])
        of = self.type(inner["for"], names)
        names.types["Self"] = of
        if inner["trait"] is None:
            for child in inner["items"]:
                yield from self.member(path, child, names, False)
            return
        name = inner["trait"]["path"].rpartition("::")[2]
        if name in HIDDEN:
            return
        if name in AUTO:
            if of_trait:
                return
            if inner["is_negative"]:
                yield f"auto {path}: !{name}"
            else:
                yield f"auto {path}: {name}{self.where(inner['generics'], names)}"
            return
        trait = self.path(inner["trait"], names)
        if trait.startswith("(private)") or (of_trait and of.startswith("crate::")):
            return
        yield f"impl {trait} for {of}{self.where(inner['generics'], names)}"
        for child in inner["items"]:
            entry = self.doc.item(child)
            if entry and "assoc_type" in entry["inner"]:
                value = self.type(entry["inner"]["assoc_type"]["type"], names)
                yield f"type <{of} as {trait}>::{entry['name']} = {value}"


def lines(surface):
    found = set()
    for path, (doc, key) in surface.at.items():
        if doc is None:
            # The attributes are macros of two crates.
            attribute = path in ("crate::main", "crate::test")
            found.add(f"macro {path}" if attribute else f"use {path} = {key}")
            continue
        canonical = surface.canonical[id(doc), key]
        if path != canonical:
            found.add(f"use {path} = {canonical}")
        else:
            found.update(Render(surface, doc).item(path, key))
    return found


def subject(line):
    """What a line is about, without its types."""
    words = line.split(" ")
    if words[0] in ("impl", "use", "mod", "macro", "unit"):
        return line
    if words[0] == "auto":
        return " ".join((words[0], words[1], words[2].lstrip("!")))
    name = words[1] if not words[1].startswith("<") else line.partition(" = ")[0]
    return words[0] + " " + name.partition("(")[0].rstrip(":")


def main():
    tokio, annulus, real = (Doc(path) for path in sys.argv[1:4])
    theirs = Surface(tokio)
    ours = Surface(annulus, real, set(theirs.canonical.values()))
    theirs, ours = lines(theirs), lines(ours)
    reasons = []
    with open(sys.argv[4], encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                reasons.append(line.rstrip("\n").partition(" | ")[0])
    used, bad = set(), 0
    by_subject = {}
    for line in ours - theirs:
        by_subject.setdefault(subject(line), []).append(line)
    for line in sorted(theirs - ours, key=lambda line: (line.split(" ")[1], line)):
        explained = [reason for reason in reasons if line.startswith(reason)]
        used.update(explained)
        if explained:
            continue
        bad += 1
        instead = by_subject.get(subject(line), [])
        print(("differs  " if instead else "missing  ") + line)
        for other in instead:
            print("    ours " + other)
    for reason in reasons:
        if reason not in used:
            bad += 1
            print(f"unused   {reason}")
    print(f"{len(theirs)} lines of tokio's, {len(theirs & ours)} the same, {len(used)} explained, {bad} not")
    sys.exit(bad > 0)


main()
