"""The language that a BCP 47 tag names, by its shortest code of ISO 639."""

from __future__ import annotations

import re
from functools import cache

TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8})*")
"""The form of the code of a language, with a script, a region or a variant."""

# The two-letter code of each language, and its three-letter codes: those of ISO 639-2, and those of ISO 639-3 by which
# corpora name its usual variety.
_CODES = """
aa aar; ab abk; ae ave; af afr; ak aka; am amh; an arg; ar ara arb; as asm; av ava; ay aym ayr; az aze azj; ba
bak; be bel; bg bul; bi bis; bm bam; bn ben; bo bod tib; br bre; bs bos; ca cat; ce che; ch cha; co cos; cr cre;
cs ces cze; cu chu; cv chv; cy cym wel; da dan; de deu ger; dv div; dz dzo; ee ewe; el ell gre; en eng; eo epo;
es spa; et est ekk; eu eus baq; fa fas per pes; ff ful fuv; fi fin; fj fij; fo fao; fr fra fre; fy fry; ga gle;
gd gla; gl glg; gn grn gug; gu guj; gv glv; ha hau; he heb; hi hin; ho hmo; hr hrv; ht hat; hu hun; hy hye arm;
hz her; ia ina; id ind; ie ile; ig ibo; ii iii; ik ipk; io ido; is isl ice; it ita; iu iku; ja jpn; jv jav; ka
kat geo; kg kon; ki kik; kj kua; kk kaz; kl kal; km khm; kn kan; ko kor; kr kau; ks kas; ku kur kmr; kv kom; kw
cor; ky kir; la lat; lb ltz; lg lug; li lim; ln lin; lo lao; lt lit; lu lub; lv lav lvs; mg mlg plt; mh mah; mi
mri mao; mk mkd mac; ml mal; mn mon khk; mr mar; ms msa may zsm; mt mlt; my mya bur; na nau; nb nob; nd nde; ne
nep npi; ng ndo; nl nld dut; nn nno; no nor; nr nbl; nv nav; ny nya; oc oci; oj oji; om orm gaz; or ori ory; os
oss; pa pan; pi pli; pl pol; ps pus pbt; pt por; qu que quy; rm roh; rn run; ro ron rum; ru rus; rw kin; sa san;
sc srd; sd snd; se sme; sg sag; si sin; sk slk slo; sl slv; sm smo; sn sna; so som; sq sqi alb als; sr srp; ss
ssw; st sot; su sun; sv swe; sw swa swh; ta tam; te tel; tg tgk; th tha; ti tir; tk tuk; tl tgl; tn tsn; to ton;
tr tur; ts tso; tt tat; ty tah; ug uig; uk ukr; ur urd; uz uzb uzn; ve ven; vi vie; vo vol; wa wln; wo wol; xh
xho; yi yid ydd; yo yor; za zha; zh zho chi cmn; zu zul
"""
_FORMER = {"iw": "he", "in": "id", "ji": "yi"}
"""Codes that were replaced, but that Java and Android still write."""

_SHORTEST = {code: short for short, *codes in map(str.split, _CODES.split(";")) for code in codes} | _FORMER


@cache
def language_of(tag: str) -> str:
    """Return the language of a BCP 47 tag by its shortest code, such as ``de`` for ``de-AT``, ``deu_Latn`` and ``ger``.

    Args:
        tag: the tag; an underscore stands for a hyphen.
    """
    language = tag.replace("_", "-").partition("-")[0].lower()
    return _SHORTEST.get(language, language)


def is_same_language(one: str, other: str) -> bool:
    """Return whether two tags denote one language, regardless of script and region, such as en-US and en_GB."""
    return language_of(one) == language_of(other)
