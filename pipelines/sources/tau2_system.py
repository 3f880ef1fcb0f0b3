"""What a tau2 agent is told before the user speaks: its policy, and the tools it may call."""

from collections.abc import Mapping
from typing import Any

from pipelines.sources.text import filled_text

DOMAINS = ("telecom", "telecom-workflow")
"""The domain's two names: its technical support manual is written as prose, or as a workflow."""

TELECOM_TOOLS = """\
- get_customer_by_phone(phone_number: string): the customer with this phone number
- get_customer_by_id(customer_id: string): the customer with this id
- get_customer_by_name(full_name: string, dob: string): the customers of this name and date of birth (YYYY-MM-DD)
- get_details_by_id(id: string): the customer, line, device, bill or plan with this id
- get_bills_for_customer(customer_id: string, limit: integer = 12): the customer's latest bills
- send_payment_request(customer_id: string, bill_id: string): ask the customer to pay a bill
- get_data_usage(customer_id: string, line_id: string): data used, data allowed and refuelled in this billing cycle
- refuel_data(customer_id: string, line_id: string, gb_amount: number): add data to a line, at a charge
- suspend_line(customer_id: string, line_id: string, reason: string): suspend an active line
- resume_line(customer_id: string, line_id: string): resume a suspended line
- enable_roaming(customer_id: string, line_id: string): allow roaming on a line
- disable_roaming(customer_id: string, line_id: string): forbid roaming on a line
- transfer_to_human_agents(summary: string): hand the customer over to a person"""
"""The agent's tools, as src/tau2/domains/telecom has them: published results name none (`tool_defs` is null)."""


def system_text(environment: Mapping[str, Any]) -> str:
    """Return the system turn of a results file's `environment_info`. Raises RowError as `filled_text` does."""
    policy = filled_text(environment.get("policy"), "environment_info.policy").strip()
    tools = environment.get("tool_defs")
    listed = "\n".join(_signature(str(name), tools[name]) for name in tools) if isinstance(tools, Mapping) else ""
    return filled_text(f"{policy}\n\n# Tools\n\n{listed or TELECOM_TOOLS}", "tool_defs")


def _signature(name: str, tool: Any) -> str:
    """Return a tool as one line: `- name(argument: type): what it does`."""
    tool = tool if isinstance(tool, Mapping) else {}
    schema = tool.get("params")
    arguments = schema.get("properties") if isinstance(schema, Mapping) else None
    typed = (
        f"{argument}: {kind.get('type', 'any') if isinstance(kind, Mapping) else 'any'}"
        for argument, kind in (arguments.items() if isinstance(arguments, Mapping) else ())
    )
    said = str(tool.get("doc") or "").strip().partition("\n")[0]
    return f"- {name}({', '.join(typed)})" + (f": {said}" if said else "")
