r"""The headings of a judgement's parts, its criteria and its analysis, in the languages that judges write.

A heading stands on a line of its own, or at the beginning of one before a colon. Words that may as well name a
criterion, such as "Reasoning", are headings only where nothing else stands on their line and no number before them.
This file is published within `rewards.py`: it needs nothing but Python.
"""

import re

CRITERIA_WORDS = (
    r"criteri(?:a|on)|standards?|principles?|rubrics?"
    r"|kriterien|beurteilungskriterien|bewertungskriterien|maßstäbe|prinzipien|grundsätze"
    r"|critères?|principes|normes"
    r"|criterios?|principios|estándares|critérios?|princípios|padrões|criteri|criterio|princìpi|principi"
    r"|критери[ия]|принципы|стандарты|критерії|принципи|kryteria|zasady|kritéria|kriterier|kriterler|ölçütler|kriteria"
    r"|tiêu chí|المعايير|معايير|मानदंड"
    r"|[\u4e00-\u9fff]{0,6}(?:的)?(?:标准|標準|准则|準則|原则|原則)"
    r"|(?:評価|採点|判断|判定|具体的な|評価の)*(?:基準|評価項目|観点)"
    r"|(?:(?:평가|채점|판단|구체적인?|세부) ?)*(?:기준|원칙)"
)
ANALYSIS_WORDS = (
    r"analys[ie]s|critiques?|analyse|vergleichende analyse|kritik|analisi|análisis|análise|analiza|analýza|analiz"
    r"|critica|crítica|анализ|критика|разбор|аналіз|phân tích|التحليل|تحليل|विश्लेषण"
    r"|(?:具体|具體|详细|詳細|对比|對比|比较|比較|逐项|逐項|逐条|综合|綜合|深入)*(?:的)?(?:分析|评析|評析|点评|點評|评述|評述|批评|批評)"
    r"|考察|講評|解析|(?:(?:상세|비교|세부|종합) ?)*(?:분석|비평|논평)"
)
LOOSE_ANALYSIS_WORDS = (
    r"evaluations?|assessments?|comparisons?|reasoning|rationale|justifications?|explanations?|discussion|reviews?"
    r"|comments|commentary|feedback|bewertung|beurteilung|auswertung|vergleich|begründung|evaluation"
    r"|évaluation|comparaison|evaluación|comparación|justificación|avaliação|comparação|justificativa"
    r"|valutazione|confronto|giustificazione|motivazione|оценка|сравнение|обоснование|оцінка|порівняння"
    r"|评论|評論|评价|評價|评估|評估|比较|比較|对比|對比|理由|说明|說明|評価|評定|평가|비교|이유|설명|đánh giá|التقييم"
)
_BEFORE = (
    r"(?:(?:specific|evaluation|judging|scoring|grading|assessment|key|main|detailed|comparative|overall|critical"
    r"|in-depth|brief|full|step-by-step|my|the|weighted|relevant|spezifische|konkrete|vergleichende|ausführliche"
    r"|конкретные|подробный|сравнительный) ){0,3}"
)
_BEHIND = (
    r"(?: (?:spécifiques?|específic[oa]s|comparativ[oa]|détaillée|specifici|comparative|detallado|detalhada|dettagliata"
    r"|d['’]évaluation|de evaluación|de avaliação|di valutazione|оценки|сравнения"
    r"|(?:of|and comparison of|des|der|de las|das|delle)(?: (?:the|each|both|all))?"
    r" (?:responses?|answers?|antworten|réponses|respuestas|respostas|risposte)))?"
)
_LONGEST = 80
_PART_NUMBER = (
    r"(?:(?:part|step|section|teil|partie|parte|часть) \d{1,2}[ \t:.)–—-]*"
    r"|[一二三四五][、.．] ?|第[一二三四五]部分[:：、]? ?)?"
)
_END = r"[*_#\] \t】》）=]*(?:[:：][*_】]*|(?=\n)|\Z)"

# Begins with a literal line break, so that the scan for it runs at the speed of memchr.
PART_HEADING = re.compile(
    rf"\n(?=[^\n:：(]{{2,{_LONGEST}}}(?:[:：\n]|\Z))(?=(?:[^\w\n]|[\d_]"
    rf"|[一二三四五](?=[、.．]))*[^\W\d_]{{2}})(?:[ \t#*_>\-•\d.)【《（\[=]*{_PART_NUMBER}[*_]*{_BEFORE}(?:"
    rf"({CRITERIA_WORDS})|{ANALYSIS_WORDS}){_BEHIND}{_END}"
    rf"|[ \t]*(?:#+[ \t]*\d{{0,2}}[.)]?)?[ \t#*_>【《\[=]*{_PART_NUMBER}{_BEFORE}(?:{LOOSE_ANALYSIS_WORDS}){_BEHIND}"
    r"[*_#\] \t】》=]*[:：]?[*_ \t】]*(?=\n|\Z))",
    re.IGNORECASE,
)
"""A heading of the criteria, whose word it holds as its group, or of the analysis. Texts begin with a line break."""


def first_parts(text: str) -> tuple[re.Match[str] | None, re.Match[str] | None]:
    """Return the first heading of criteria before any analysis, and the first of the analysis, where they are there."""
    criteria = None
    for heading in PART_HEADING.finditer(text):
        if heading[1] is None:
            return criteria, heading
        criteria = criteria or heading
    return criteria, None
