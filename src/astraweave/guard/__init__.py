"""What characters may do, what may come in, and what may be shown."""

from __future__ import annotations

from astraweave.guard.actions import Action, ActionContext, Actors, Budget, Cooldown, Requires
from astraweave.guard.audit import AuditEntry, AuditLog
from astraweave.guard.injection import InjectionReport, injection_report
from astraweave.guard.legal import LegalAction, LegalActions
from astraweave.guard.output import OutputGuard, OutputStream, OutputVerdict
from astraweave.guard.refusal import Outcome, Refusal
from astraweave.guard.registry import ActionRegistry
from astraweave.guard.request import RequestPolicy, ToolSignature
from astraweave.guard.slots import Between, EntityRef, Items, Text
from astraweave.guard.tool_guard import PlanRun, ToolGuard
from astraweave.guard.trust import Effect, Origin, TrustPolicy

__all__ = [
    "Action",
    "ActionContext",
    "ActionRegistry",
    "Actors",
    "AuditEntry",
    "AuditLog",
    "Between",
    "Budget",
    "Cooldown",
    "Effect",
    "EntityRef",
    "InjectionReport",
    "Items",
    "LegalAction",
    "LegalActions",
    "Origin",
    "Outcome",
    "OutputGuard",
    "OutputStream",
    "OutputVerdict",
    "PlanRun",
    "Refusal",
    "RequestPolicy",
    "Requires",
    "Text",
    "ToolGuard",
    "ToolSignature",
    "TrustPolicy",
    "injection_report",
]
