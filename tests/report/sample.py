"""A realistic result: support-ticket intents in English and Korean, 42 cases, one real regression. Built from records."""

import random

from evaluator.records import (
    Bound,
    BoundKind,
    BoundResult,
    Call,
    Case,
    Failure,
    FailureKind,
    Interval,
    Metric,
    MetricKind,
    Objective,
    ObjectiveResult,
    Output,
    Score,
    State,
    Usage,
    Verdict,
)
from evaluator.report.build import from_verdict, slice_part, spend_part
from evaluator.report.build_cases import Observed, distribution, select_cases
from evaluator.report.build_labels import label_table
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import ConfigInfo, DatasetInfo, PolicyChange, RefInfo

TICKETS = [
    ("billing", "I was charged twice for my March invoice, please refund one of the payments."),
    ("billing", "3월 요금이 두 번 결제됐어요. 한 건은 환불해 주세요."),
    ("billing", "Why does my invoice show a fee for a seat that we removed in January?"),
    ("billing", "세금계산서에 사업자 번호가 잘못 적혀 있습니다. 다시 발행해 주실 수 있나요?"),
    ("billing", "The card on file expired; where do I change it before the next payment?"),
    ("billing", "연간 요금제로 바꾸면 남은 기간은 어떻게 계산되나요?"),
    ("account", "I can't log in since yesterday: the code never arrives on my phone."),
    ("account", "비밀번호를 바꿨는데도 계속 로그인이 안 됩니다."),
    ("account", "Please move my account to a new e-mail address, the old one is gone."),
    ("account", "탈퇴하고 싶은데 버튼을 못 찾겠어요."),
    ("account", "How do I give my colleague admin rights in our workspace?"),
    ("account", "2단계 인증을 새 휴대폰으로 옮기는 방법을 알려 주세요."),
    ("bug", "Export to CSV has produced an empty file since the last update."),
    ("bug", "앱을 업데이트한 뒤로 첨부 파일이 열리지 않아요."),
    ("bug", "The dashboard spins for ever in Firefox, in Chrome it works."),
    ("bug", "검색하면 같은 결과가 두 번씩 나옵니다."),
    ("bug", "Push notifications arrive twice on Android 16."),
    ("bug", "PDF 미리보기에서 한글이 네모로 깨져 보입니다."),
    ("feature", "It'd be great to sort tickets by customer value."),
    ("feature", "다크 모드를 지원할 계획이 있나요? 밤에 눈이 아파요."),
    ("feature", "Could you add an API for bulk imports of contacts?"),
    ("feature", "팀별로 알림을 따로 설정할 수 있으면 좋겠어요."),
    ("feature", "We need SSO with Okta; is it on your roadmap?"),
    ("feature", "보고서를 매주 자동으로 메일로 받고 싶습니다."),
    ("shipping", "My replacement router was due on Monday and tracking hasn't moved."),
    ("shipping", "배송지가 바뀌었는데 아직 출고 전이면 주소를 고칠 수 있나요?"),
    ("shipping", "The parcel arrived open and the charger is missing."),
    ("shipping", "주문한 지 열흘이 넘었는데 언제 도착하나요?"),
    ("shipping", "Can you ship the order in two parts? Two items are urgent."),
    ("shipping", "해외 배송도 되나요? 일본 오사카로 보내고 싶습니다."),
    ("cancel", "Cancel my subscription at the end of this month, please."),
    ("cancel", "다음 달부터 구독을 해지하고 싶어요."),
    ("cancel", "I ordered the wrong plan an hour ago; undo it and refund me."),
    ("cancel", "환불하고 해지해 주세요. 한 번도 안 썼습니다."),
    ("other", "Are you hiring support engineers in Busan?"),
    ("other", "고객센터 운영 시간이 어떻게 되나요?"),
    ("other", "Thanks, that solved it! <3 | you folks are great"),
    ("other", "👩‍💻🙏"),
    ("billing", "請求書の宛名を会社名に変更してください。"),
    ("account", "我换了手机号码，怎么登录?"),
    ("bug", "Error `E_TIMEOUT` when I call @sync twice; see https://status.example.com/#1234"),
    ("billing", "Do I get charged if I cancel during the trial?"),
]
WRONG_AT_BASE = {5: "feature", 22: "other", 32: "billing", 40: "account"}
WRONG_AT_HEAD = {
    5: "feature", 8: "other", 9: "cancel", 19: "bug", 25: "account", 28: "other", 31: "billing", 32: "billing",
    33: "billing", 41: "cancel", 20: "bug",
}  # fmt: skip
FAILED_AT_HEAD = 37
ACCURACY = Metric("accuracy", MetricKind.PROPORTION, unit="share", low=0, high=1)
JUDGE = Metric("judge", MetricKind.MEAN, low=1, high=5)
MACRO_F1 = Metric("macro_f1", MetricKind.LABELS, unit="share", column="labels", low=0, high=1)
COST = Metric("cost_per_request", MetricKind.MEAN, False, "usd", column="cost")
LATENCY = Metric("latency_p95", MetricKind.QUANTILE, False, "seconds", column="latency", quantile=0.95)
ERRORS = Metric("error_rate", MetricKind.PROPORTION, False, "share", low=0, high=1)
METRICS = (ACCURACY, JUDGE, MACRO_F1, COST, LATENCY, ERRORS)


def sample_document(*, passing: bool = False) -> ResultDocument:
    """Give the sample: a regression, or the same cases under a harmless change."""
    cases = sample_cases()
    base = {case.id: [_observed(index, case, head=False)] for index, case in enumerate(cases)}
    head = {case.id: [_observed(index, case, head=not passing)] for index, case in enumerate(cases)}
    return from_verdict(
        passing_verdict() if passing else failing_verdict(),
        version="0.1.0",
        kind="gate",
        created_at="2026-11-23T09:30:00+00:00",
        duration_s=203.4,
        base=RefInfo(
            label="main", ref="main", sha="4f1c2ab98d0e7c55a1b2c3d4e5f60718293a4b5c", subject="Add two tickets"
        ),
        head=RefInfo(
            label="shorter-prompt",
            ref="shorter-prompt",
            sha="9be04d1170aa3c4428e19f0b6d7c8e5f4a3b2c1d",
            subject="Shorten the routing prompt (saves 40% of tokens)",
        ),
        config=ConfigInfo(path="llm-eval-gate.yml", digest="sha256:77aa0c"),
        dataset=DatasetInfo(path="evals/tickets.jsonl", digest="sha256:1f09bd", cases=len(cases), tags=_tags(cases)),
        detectable={"accuracy": 0.098, "judge": 0.043, "cost_per_request": 0.012, "latency_p95": 0.21},
        other_metrics=[_result(LATENCY_P50, "pass", 0.41, 0.33, (-0.24, -0.14), 41, ())],
        slices=[
            slice_part("en", 21, [_result(ACCURACY, "pass", 0.857, 0.762, (-0.31, 0.09), 21, ())]),
            slice_part("ko", 19, [_result(ACCURACY, "fail", 0.947, 0.684, (-0.51, -0.02), 19, ())]),
        ],
        label_tables=[
            label_table(
                "classification",
                [_labels(base[case.id][0]) for case in cases if base[case.id][0].scores],
                [_labels(head[case.id][0]) for case in cases if head[case.id][0].scores],
            )
        ],
        distributions=[
            spread
            for metric in (JUDGE, ACCURACY, COST, LATENCY)
            if (spread := distribution(metric, _values(base, metric), _values(head, metric)))
        ],
        spend=spend_part(one for side in (base, head) for answers in side.values() for one in answers),
        timings={"setup": 4.2, "answers and scores": 196.8, "statistics": 0.4},
        cases=select_cases(cases, base, head, METRICS, gated=frozenset(case.id for case in cases[:-1])),
        policy_changes=[
            PolicyChange(path="evals/tickets.jsonl", what="1 case added", effect="run and reported, not gated"),
            PolicyChange(path="llm-eval-gate.yml", what="objectives.judge.min 4.0 → 3.5", effect="4.0 was used"),
        ],
        notes=[] if passing else ["The judge is of the same model family as the app: it may favour its own style."],
        rerun="llm-eval-gate gate --base main --head shorter-prompt",
    )


LATENCY_P50 = Metric("latency_p50", MetricKind.QUANTILE, False, "seconds", column="latency", quantile=0.5)


def sample_cases() -> list[Case]:
    """Give the golden set: 42 tickets with language and topic as tags."""
    return [
        Case(
            id=f"ticket-{number:02d}",
            input={"text": text},
            expected=label,
            line=number,
            tags=(_language(text), label),
        )
        for number, (label, text) in enumerate(TICKETS, start=1)
    ]


def failing_verdict() -> Verdict:
    """Give the verdict of a change that costs accuracy and saves money."""
    results = [
        _result(
            ACCURACY, "fail", 0.902, 0.732, (-0.321, -0.062), 41,
            ((BoundKind.MIN, 0.8, "inconclusive"), (BoundKind.MAX_DROP, 0.05, "fail")),
            "fell by 18.8%, beyond the bound of 5% even at the mild end of its interval (6.2%)",
        ),
        _result(
            JUDGE, "fail", 4.56, 4.07, (-0.172, -0.051), 41,
            ((BoundKind.MIN, 4.0, "inconclusive"), (BoundKind.MAX_DROP, 0.05, "fail")),
            "fell by 10.7%, beyond the bound of 5%",
        ),
        _result(
            MACRO_F1, "inconclusive", 0.896, 0.741, (-0.34, -0.02), 41, ((BoundKind.MAX_DROP, 0.05, "inconclusive"),),
            "the interval reaches from -34.0% to -2.0%; the bound of 5% lies inside",
            warnings=("Below 100 cases, rare classes decide: treat it with care.",),
        ),
        _result(
            COST, "pass", 0.00061, 0.00036, (-0.418, -0.402), 41,
            ((BoundKind.MAX, 0.01, "pass"), (BoundKind.MAX_INCREASE, 0.1, "pass")),
        ),
        _result(
            LATENCY, "pass", 0.95, 0.78, (-0.31, 0.02), 41,
            ((BoundKind.MAX, 2.0, "pass"), (BoundKind.MAX_INCREASE, 0.2, "pass")),
        ),
        _result(ERRORS, "pass", 0.0, 0.024, None, 42, ((BoundKind.MAX, 0.05, "pass"),), implied=True),
    ]  # fmt: skip
    reason = "accuracy fell by 18.8% and judge by 10.7%; 5% is allowed"
    return Verdict("fail", {result.name: result for result in results}, reason)


def passing_verdict() -> Verdict:
    """Give the verdict of a harmless change."""
    results = [
        _result(ACCURACY, "pass", 0.902, 0.902, (-0.02, 0.02), 41, ((BoundKind.MAX_DROP, 0.05, "pass"),)),
        _result(COST, "pass", 0.00061, 0.00061, (-0.01, 0.01), 41, ((BoundKind.MAX, 0.01, "pass"),)),
        _result(ERRORS, "pass", 0.0, 0.0, None, 42, ((BoundKind.MAX, 0.05, "pass"),), implied=True),
    ]
    return Verdict("pass", {result.name: result for result in results}, "All 3 objectives hold.")


def _result(
    metric: Metric, state: State, base: float, head: float, ends: tuple[float, float] | None, pairs: int,
    bounds: tuple[tuple[BoundKind, float, State], ...], reason: str = "", warnings: tuple[str, ...] = (),
    implied: bool = False,
) -> ObjectiveResult:  # fmt: skip
    interval = None if ends is None else Interval(*ends, 0.95, "Fieller")
    change = None if base == 0 else (head - base) / base
    found = tuple(
        BoundResult(
            Bound(kind, limit),
            told,
            change if kind.relative_to_base else head,
            interval if kind.relative_to_base else _absolute(head, base, ends),
            reason,
        )
        for kind, limit, told in bounds
    )
    objective = Objective(metric, tuple(bound.bound for bound in found), implied)
    return ObjectiveResult(objective, state, base, head, change, interval, pairs, reason, found, warnings)


def _absolute(head: float, base: float, ends: tuple[float, float] | None) -> Interval | None:
    if ends is None:
        return Interval(max(head - 0.02, 0), head + 0.023, 0.95, "Wilson")
    half = (ends[1] - ends[0]) * base / 3
    return Interval(head - half, head + half, 0.95, "t")


def _observed(index: int, case: Case, *, head: bool) -> Observed:
    noise = random.Random(index)
    speed = 0.8 if head else 1.0
    latency = round(speed * (0.3 + 0.25 * noise.random() + (0.5 if index % 13 == 3 else 0)), 3)
    label = str(case.expected)
    said = (WRONG_AT_HEAD if head else WRONG_AT_BASE).get(index, label)
    if head and index == FAILED_AT_HEAD:
        return Observed(
            Output(failure=Failure(FailureKind.INVALID_ANSWER, "expected one label, found an empty answer"))
        )
    tokens = Usage(180 + len(str(case.input)) if head else 310 + len(str(case.input)), 24)
    cost = round(tokens.input_tokens * 0.000001 + tokens.output_tokens * 0.000008, 8)
    right = said == label
    text = f"{said}\nThe customer {ASKS[said]} It goes to the {said} team, which answers within one working day."
    judge = 5.0 - (index % 7 == 0) - (head and index % 11 == 0) if right else 2.0 - (index % 2)
    reason = (
        "The label is right and the reason names what the customer asks for."
        if right
        else f"The customer's request belongs to {label}; the answer says {said} and would go to the wrong team."
    )
    judged = Call("openai", "gpt-5", Usage(640, 90), 0.0017, 1.9)
    return Observed(
        Output(text=text, latency_s=latency, cost_usd=cost, usage=tokens,
               calls=(Call("openai", "gpt-5-mini", tokens, cost, latency, cached=not head),)),
        (
            Score("classification", {"accuracy": float(right), "labels": 3.0}, labels=(label, said)),
            Score("judge", {"judge": judge}, reason=reason, calls=(judged,)),
            Score("latency", {"latency": latency}),
            Score("cost", {"cost": cost}),
        ),
    )  # fmt: skip


ASKS = {
    "billing": "asks for help with a charge, an invoice or how to pay.",
    "account": "asks for help with signing in or with their account's settings.",
    "bug": "reports something that worked before and does not now.",
    "feature": "asks for something that the product does not do yet.",
    "shipping": "asks where a parcel is or how it will be sent.",
    "cancel": "wants to end a subscription or undo an order.",
    "other": "does not ask for anything that a team has to handle.",
}


def _labels(observed: Observed) -> tuple[str, str]:
    labels = observed.scores[0].labels
    assert labels is not None
    return labels


def _values(side: dict[str, list[Observed]], metric: Metric) -> dict[str, float]:
    return {
        case: score.values[metric.source]
        for case, answers in side.items()
        for score in answers[0].scores
        if metric.source in score.values
    }


def _language(text: str) -> str:
    if any("가" <= char <= "힣" for char in text):
        return "ko"
    if any("ぁ" <= char <= "ん" for char in text):
        return "ja"
    return "zh" if any("一" <= char <= "龥" for char in text) else "en"


def _tags(cases: list[Case]) -> dict[str, int]:
    found: dict[str, int] = {}
    for case in cases:
        for tag in case.tags:
            found[tag] = found.get(tag, 0) + 1
    return found
