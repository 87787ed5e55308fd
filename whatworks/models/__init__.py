"""Every table and constraint. No queries here, no Flask, and nothing of ours is imported.

Rows that belong to one person carry `user_id` first in their primary key and in every unique
index, so that the tables can be distributed by person; `emails` is the one small table that finds
a person by address, and `orders` are found by their own id, because a gateway knows no person.
Times are epoch seconds (Float), identifiers opaque strings; the money of orders is integers in the
currency's smallest unit, that of outcomes is kept as it was typed. Only core SQL types are used,
so that rows read the same through the bare driver.
"""

from __future__ import annotations

from whatworks.models.coupon import Coupon
from whatworks.models.coupon_use import CouponUse
from whatworks.models.dismissal import Dismissal
from whatworks.models.download import Download
from whatworks.models.email import Email
from whatworks.models.execution_event import ExecutionEvent
from whatworks.models.execution_step import ExecutionStep
from whatworks.models.fit import Fit
from whatworks.models.grant import Grant
from whatworks.models.idempotency_key import IdempotencyKey
from whatworks.models.legacy_unowned import LegacyUnowned
from whatworks.models.operator import Operator
from whatworks.models.order import Order
from whatworks.models.order_event import OrderEvent
from whatworks.models.outcome import Outcome
from whatworks.models.payment import Payment
from whatworks.models.proof import Proof
from whatworks.models.proof_share import ProofShare
from whatworks.models.published_level import PublishedLevel
from whatworks.models.recommendation import Recommendation
from whatworks.models.registry import CLUSTERED, Base
from whatworks.models.reminder import Reminder
from whatworks.models.reminder_choice import ReminderChoice
from whatworks.models.review import Review
from whatworks.models.review_notice import ReviewNotice
from whatworks.models.review_text import ReviewText
from whatworks.models.session import Session
from whatworks.models.sign_in import SignIn
from whatworks.models.slate import Slate
from whatworks.models.source_vote import SourceVote
from whatworks.models.step_note import StepNote
from whatworks.models.subscription import Subscription
from whatworks.models.subscription_event import SubscriptionEvent
from whatworks.models.timer import Timer
from whatworks.models.usage_count import UsageCount
from whatworks.models.user_profile import UserProfile
from whatworks.models.version_performance import VersionPerformance
from whatworks.models.webhook import Webhook
from whatworks.models.workflow import Workflow
from whatworks.models.workflow_execution import WorkflowExecution
from whatworks.models.workflow_performance import WorkflowPerformance
from whatworks.models.workflow_version import WorkflowVersion

__all__ = [
    "CLUSTERED",
    "Base",
    "Coupon",
    "CouponUse",
    "Dismissal",
    "Download",
    "Email",
    "ExecutionEvent",
    "ExecutionStep",
    "Fit",
    "Grant",
    "IdempotencyKey",
    "LegacyUnowned",
    "Operator",
    "Order",
    "OrderEvent",
    "Outcome",
    "Payment",
    "Proof",
    "ProofShare",
    "PublishedLevel",
    "Recommendation",
    "Reminder",
    "ReminderChoice",
    "Review",
    "ReviewNotice",
    "ReviewText",
    "Session",
    "SignIn",
    "Slate",
    "SourceVote",
    "StepNote",
    "Subscription",
    "SubscriptionEvent",
    "Timer",
    "UsageCount",
    "UserProfile",
    "VersionPerformance",
    "Webhook",
    "Workflow",
    "WorkflowExecution",
    "WorkflowPerformance",
    "WorkflowVersion",
]
