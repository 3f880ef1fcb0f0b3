"""The words by which a critique is told: those that name a response, and those that say nothing of one.

This file is published within `rewards.py`: it needs nothing but Python.
"""

import re

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
    """.split()  # noqa: SIM905
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
    {
        "best",
        "winner",
        "preferred",
        "excellent",
        "good",
        "fair",
        "poor",
        "bad",
        "great",
        "average",
        "outstanding",
        "perfect",
        "weak",
        "strong",
        "acceptable",
    }
)
