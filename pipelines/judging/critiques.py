r"""Does a judgement hold a critique: a sentence, outside headings and verdict, that speaks of a response?

A sentence speaks of a response where it names one ("Response 1", "the latter", "both", 回答2, Antwort 2), or stands
under the name of one, and something is left of it once all is taken away that scores and announcements are made of:
"Here are my scores", "Response 1: 7/10" and "I compared both with care" say nothing. What a list of criteria asks of
any response is no critique, and neither is what is said of the question alone. Where no analysis was asked for, any
sentence that says something will do.

This file is published within `rewards.py`: it needs nothing but Python. Every step takes time in proportion to the
text.
"""

import re

from pipelines.judging.part_headings import PART_HEADING, first_parts

_NUMBER_OF = (
    r"[ \t]*(?:#|№|no\.?|nr\.?|number|n°|numéro|número|nummer|номер)?"
    r"(?:[ \t]*\d{1,3}|[ \t]+(?:[a-h]|one|two|three|four|five))(?!\w)"
)
NOUNS = (
    r"responses?|repl(?:y|ies)|answers?|options?|candidates?|assistants?|solutions?|outputs?|completions?|models?"
    r"|attempts?|versions?|drafts?|entr(?:y|ies)|submissions?|antwort(?:en)?|réponses?|respuestas?|respostas?"
    r"|rispost[ae]"
    r"|ответ\w{0,3}|вариант\w{0,3}|відповід\w{0,4}|odpowied\w{0,4}|odpověd\w{0,3}|antwoord(?:en)?|svar\w{0,4}"
    r"|yanıt\w{0,4}"
    r"|cevap\w{0,4}|jawaban|respons"
)
_EASTERN = r"(?:回答|回复|回覆|回應|回应|答复|答覆|响应|響應|答案|选项|選項|応答|返答|解答|レスポンス|응답|답변|답안)"
_ORDINAL_WORDS = (
    r"first|second|third|fourth|fifth|1st|2nd|3rd|4th|last|former|latter|other|erste|zweite|dritte|andere|première"
    r"|premier|deuxième|seconde?|troisième|autre|primer[ao]?|segund[ao]|tercer[ao]?|otra|primeira|terceira|outra|prima"
    r"|seconda|terza|altra|перв\w{2}|втор\w{2}|трет\w{2}|друг\w{2}"
)
_ALL = (
    r"both|neither|either|all|none of|two|three|four|these|beide[nr]?|les deux|ambas|amb[ao]s|entrambe|обо?их?|оба|все"
)
_VERBS = (
    r"is|isn['’]t|are|was|were|has|have|had|does|doesn['’]t|do|gives?|gave|fails?|gets? (?:it|the)|errs?|states?"
    r"|claims?|says?"
    r"|lacks?|misses|omits?|answers?|explains?|names?|offers?|provides?|covers?|addresses|wins?|loses|makes?|goes|uses?"
    r"|only|also|correctly|wrongly|simply|merely|contradicts?|ignores?|includes?|mentions?|follows?|comes?|cites?|of "
    r"(?:them|the)"
)
NAMED = re.compile(
    rf"(?<![^\W_])(?:(?:{NOUNS}){_NUMBER_OF}|(?:{_ORDINAL_WORDS}|{_ALL}) (?:of )?(?:the )?(?:\w+ )?(?:{NOUNS})(?!\w)"
    rf"|(?:they both|(?:none|one|each|some|most|neither|both|all) of (?:them|these|those|the (?:two|three|four)))(?!\w)"
    rf"|(?:both|neither|the (?:{_ORDINAL_WORDS})|(?:the )?(?:former|latter))(?= (?:{_VERBS})(?!\w)|[,.;]|$)"
    rf"|r\d(?!\w)|#\d(?!\w)|(?<![\w.,/=+*-] )(?<![\w.,/=+*-])\(?\d\)?(?= (?:{_VERBS})(?!\w))"
    rf"|(?:since|because|that|while|than|but|and|:) \(?\d\)?(?= (?:{_VERBS})(?!\w)))"
    rf"|{_EASTERN}\s?(?:#|（|\()?\s?(?:[0-9a-h①-⑩甲乙丙丁]|[一二三四五](?!\w*个))"
    r"|第\s?[一二三四五12345]\s?(?:个|個|篇|条|種|种|番目|の)|(?:前|后|後)者|(?:两|兩|二|三|四)(?:者|个|個|つの|份|种)|両方|どちら|いずれ"
    r"|(?:두|모든|첫 ?번째|두 ?번째|세 ?번째) ?(?:응답|답변|답안)?|câu trả lời \d",
    re.IGNORECASE,
)
"""A response that is there, told from others. Letters alone stand in `LETTER`, where case counts."""
LETTER = re.compile(rf"(?:^|(?<=[,;.:] )|(?<=while )|(?<=than ))[A-H](?= (?:{_VERBS}|and [A-H])(?!\w))")
SPOKEN_OF = re.compile(
    r"(?<![^\W_])(?:responses?|repl(?:y|ies)|candidates?|assistants?|answers(?! to)|(?:this|that|its|given|provided"
    r"|submitted|\w{2,20}['’]s)"
    r" (?:answer|solution|output)|antwort(?:en)?|réponses?|respuestas?|respostas?|rispost[ae]|ответ\w{0,3}"
    r"|відповід\w{0,4}"
    r"|odpowied\w{0,4}|odpověd\w{0,3}|antwoord(?:en)?|svar\w{0,4}|yanıt\w{0,4}|cevap\w{0,4}|jawaban|respons)(?!\w)"
    rf"|{_EASTERN}|câu trả lời|الإجاب|إجاب|الرد|الاستجاب|उत्तर|प्रतिक्रिया",
    re.IGNORECASE,
)
EMPTY = frozenset(
    """
    i i'm i've i'll my me we our us let let's here there below above following follows follow as per according based
    on you your thank thanks given after before against using with within for from of to in at by the a an this that
    these those it its they their them each every all both neither either none one two three
    four five six seven eight nine ten zero other others
    another same and or but so then thus therefore hence now finally next last first second third is are was were be
    been being am have has had do does did will would shall can could may might must should not no yes see please
    note ok okay sure n na none nil tbd todo applicable available omitted placeholder provided requested required
    more most very quite just only also too than
    score scores scored scoring rate rates rated rating ratings rank ranks ranked ranking rankings grade grades
    graded grading mark marks marked point points out get gets got receive receives received earn earns earned
    deserve deserves deserved assign assigned award awarded give gives gave equal equals tie tied order shown place
    placed placement percent boxed text scale integer number numbers high higher highest low lower lowest
    response responses reply replies answer answers option options candidate candidates assistant assistants
    solution solutions output outputs model models former latter
    hier sind ist meine mein die der das den dem ein eine für von mit nach auf und oder wie folgt beide beiden alle
    bewertung bewertungen bewertet punkte punktzahl antwort antworten erhält bekommt kriterien analyse vergleich
    keine voici mes mon ma les le la l des du de d et ou sont est pour par sur selon deux toutes notes note score
    points réponse réponses obtient reçoit évaluation évaluations critères aucune sans objet ci-dessous suit aquí
    están mis mi los las el un una y o son es para por según dos todas ambas puntuación puntuaciones puntos
    respuesta respuestas recibe obtiene evaluación criterios ninguno análisis siguientes aqui estão minhas minha os
    as do da dos das e são é segundo duas pontuação pontuações pontos nota notas resposta respostas recebe obtém
    avaliação critérios nenhuma análise ecco i miei mio gli il lo della delle di due tutte entrambe punteggio
    punteggi punti voto voti risposta risposte riceve ottiene valutazione valutazioni criteri nessuna analisi sono è
    per вот мои моя оценка оценки баллы балл балла баллов ответ ответа ответы ответов ответу получает для по на и
    или оба обоих всех это критерии критериям анализ нет
    """.split()  # noqa: SIM905
)
DOING = frozenset(
    """
    evaluate evaluated evaluating evaluation evaluations assess assessed assessing assessment assessments compare
    compared comparing comparison comparisons judge judged judging judgement judgment judgements judgments review
    reviewed reviewing analyse analyze analysed analyzed analysing analyzing analysis analyses critique critiques
    consider considered considering consideration weigh weighed weighing carefully careful care thoroughly thorough
    apply applied applying check checked read reading look looked facts steps yourself come overall view end final
    summary conclusion conclude total average mean result results verdict verdicts specific criterion criteria
    principle principles standard standards
    """.split()  # noqa: SIM905 - words read better so
)
"""What a judge does: it says something only where a response is what the sentence opens with."""
EMPTY_EASTERN = re.compile(
    r"以下|以上|如下|下面|下记|下記|上述|上面|综合|綜合|考虑|考慮|经过|經過|仔细|仔細|根据|根據|基于|基於|标准|標準|准则|準則|评分|評分|得分|打分|给分|分数|分數"
    r"|点数|得点|评价|評價|評価|评估|評估|分析|比较|比較|对比|對比|总体|總體|整体|整體|最终|最終|最后|最後|结果|結果|满分|滿分|排名|排序|因此|所以|进行|進行"
    r"|每个|每個|各个|各個|所有|两个|兩個|三个|四个|我们|我們|暂无|暫無|不适用|不適用|没有|回答|回复|回覆|回應|回应|答复|答覆|响应|響應|选项|選項"
    r"|応答|返答|解答|レスポンス|基準|採点|スコア|それぞれ|すべて|両方|です|ます|した|する|による|によって|基づいて|基づき|示す|通り|とおり|なります|私|こちら|これら|ここ"
    r"|다음은|다음과|같습니다|다음|점수|평가|분석|비교|결과|입니다|기준|따라|최종|종합|총점|드립니다|합니다|했습니다|응답|답변|답안|대한|모든|번째"
    r"|[的是为為了对對和与與及在从從到就也都均即给給得有该該并並后後之其这這那些个個各将將请請我你二一三四五两兩第分点打番目の者個はがをにでともへや]"
    r"|(?<=[\uac00-\ud7a3])[은는이가을를의에도와과로점개]|[두세네각저제나내위및첫]"
)
SCALE = frozenset(
    """
    best winner preferred excellent good fair poor bad great average outstanding perfect weak strong acceptable
    """.split()  # noqa: SIM905 - words read better so
)
_OPENS_WITH_ONE = re.compile(
    rf"[\W_]*(?:{NAMED.pattern}|(?:(?:the|each|every|this|all|both) ){{0,2}}(?:{NOUNS})) (?!and |, )", re.IGNORECASE
)
_NORM = re.compile(
    r"(?<!\w)(?:(?:should|must)(?! have| not have|n['’]t have)|ought to|needs? to|has to|have to|shall|whether|muss"
    r"|müssen"
    r"|sollte|doit|devrait|debe|debería|deve|dovrebbe|должен|должна)(?!\w)|应当|应该|應該|必须|必須|是否|べき|かどうか|해야",
    re.IGNORECASE,
)
_OF_THE_QUESTION = re.compile(
    r"[\W_]*(?:the|this|a) (?:question|query|user|prompt|task|conversation|problem|instruction)s?(?!['’]s|\w)"
    r"|[\W_]*(?:这个|該|该|本)?(?:问题|問題|题目|題目|用户|用戶)",
    re.IGNORECASE,
)
_SPOKEN_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
_EASTERN_LETTER = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_SENTENCE = re.compile(r"(?<=[.!?])[\s\"'”’*_)]+|[。！？；]")
_LINE_MARKS = re.compile(r"^[\s>#*_\-•+|=~`【\[]*(?:\(?\d{1,2}[.)、．](?!\d))?[\s*_`|\[]*")
_EMPHASIS = re.compile(r"[*_`|]+|\\[a-zA-Z]+")
_TITLE = re.compile(r"[ \t]*#|[ \t]*(?:\*\*|__)(?:(?!\*\*|__)[^.!?。！？])*(?:\*\*|__)[ \t]*$|[ \t]*【[^】]*】[ \t]*$")
# A name with its number, as in "Depth: 7", which is a score.
_VALUE = re.compile(
    r"(?:(?<=^)|(?<=[,;(|]))\s*(?:[^\W\d_][\w'-]*[ \t]*){1,3}[:：=]\s?\(?\d+(?:\.\d+)?(?=\s*(?:[,;|)/]|$))|[^\W\d_]+ "
    r"\d+ ?/ ?\d+",
    re.MULTILINE,
)
_NAMED_VALUE = re.compile(r"[^\n:：]{0,60}[:：=–—-]")
_DIGIT = re.compile(r"\d")
_LISTED = re.compile(r"[ \t]*(?:[*_]{0,2}\(?\d{1,2}[.)、．]|[-*•+][ \t])[ \t]*[*_]{0,2}")


def has_critique(text: str, n_responses: int, analysis_wanted: bool = True) -> bool:
    """Return whether a judgement, its thoughts and its verdict already taken out, holds a critique.

    `analysis_wanted` says that the prompt asked for an analysis; where it did not, any sentence that says something is
    the critique. A single response is what an analysis speaks of, whether it names it or not. Never raises.
    """
    text = "\n" + text
    if not analysis_wanted:
        return any(map(says_something, _lines_of(text)))
    criteria, analysis = first_parts(text)
    end = analysis.start() if analysis else len(text)
    before, listed = (text[: criteria.start()], text[criteria.end() : end]) if criteria else (text[:end], "")
    cut = len(listed) if analysis else end_of_list(listed)
    after = text[analysis.end() :] if analysis else listed[cut:]
    is_named = n_responses == 1
    return _speaks(after, is_named) or _speaks(before, is_named) or any(map(_applies, listed[:cut].split("\n")))


def end_of_list(listed: str) -> int:
    """Return where a list of criteria ends that nothing but prose follows: at a line that opens with a response, or at
    a paragraph behind its items."""
    lines = listed.split("\n")
    items = [_LISTED.match(line) for line in lines]
    last = max((number for number, item in enumerate(items) if item), default=0)
    place = 0
    for number, (line, item) in enumerate(zip(lines, items, strict=True)):
        if number and line.strip():
            opening = line[item.end() if item else 0 :].lstrip(" \t#*_>")
            is_paragraph = not item and not line[0].isspace() and not lines[number - 1].strip()
            opens_with_one = len(opening) > 2 and (NAMED.match(opening) or LETTER.match(opening))
            if opens_with_one or (is_paragraph and (0 < last < number or NAMED.search(line))):
                return place
        place += len(line) + 1
    return len(listed)


def says_something(sentence: str) -> bool:
    """Say whether a word is left that neither a score nor an announcement is made of."""
    plain = _VALUE.sub(" ", _EMPHASIS.sub(" ", sentence))
    empty = EMPTY if _OPENS_WITH_ONE.match(sentence) else EMPTY | DOING
    words = [word for word in _SPOKEN_WORD.findall(plain.casefold().replace("’", "'")) if word not in empty]
    left = [word for word in words if len(word) > 1 and not _EASTERN_LETTER.search(word)]
    if left and _NAMED_VALUE.match(sentence) and _DIGIT.search(sentence):
        left = [word for word in left if word not in SCALE]
    return bool(left) or len(_EASTERN_LETTER.findall(EMPTY_EASTERN.sub("", plain))) > 1


def _named_in(text: str) -> re.Match[str] | None:
    return NAMED.search(text) or LETTER.search(text)


def _lines_of(text: str) -> list[str]:
    """Return the lines without headings of parts; what stands behind a heading on its line is a line, too."""
    return PART_HEADING.sub("\n", text).split("\n")


def _speaks(section: str, is_named: bool) -> bool:
    """Say whether a line speaks of a response: it names one, or stands under a line that only names one."""
    was_label = False
    for line in _lines_of(section):
        bare = _LINE_MARKS.sub("", line)
        if not bare:
            continue
        announced = _announced(line, bare)
        rest = bare[: len(bare) - len(announced)]
        is_label = _named_in(bare) is not None
        if rest and _says_of_a_response(rest, is_named):
            return True
        if is_label and not was_label:
            is_named = is_named or bool(announced) or not says_something(rest)
        was_label = is_label
    return False


def _announced(line: str, bare: str) -> str:
    """Return the end of a line that only announces something: all of a title, or what comes before a last colon."""
    if _TITLE.match(line):
        return bare
    return _SENTENCE.split(bare)[-1] if bare.rstrip("*_ \t").endswith((":", "：")) else ""


def _says_of_a_response(text: str, is_named: bool) -> bool:
    """Say whether something is said once a response is named, or at all where one was before."""
    for sentence in _SENTENCE.split(text):
        if _OF_THE_QUESTION.match(sentence):
            continue
        named = _named_in(sentence)
        if (not named or named[0].casefold().startswith(("both", "all", "each"))) and _NORM.search(sentence):
            continue
        is_named = is_named or named is not None or SPOKEN_OF.search(sentence) is not None
        if is_named and says_something(sentence):
            return True
    return False


def _applies(line: str) -> bool:
    """Say whether a criterion is applied right where it is named: to a response that is there."""
    parts = _SENTENCE.split(_LINE_MARKS.sub("", line))
    return any(_named_in(part) and not _NORM.search(part) and says_something(part) for part in parts)
