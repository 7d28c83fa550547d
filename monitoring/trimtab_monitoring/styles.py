"""How a report looks; it lies in each page, which must need nothing else."""

STYLES = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; }
.trimtab { max-width: 1240px; margin: 0 auto; padding: 16px 20px; box-sizing: border-box;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; color: #1c2430; }
.trimtab h1 { font-size: 24px; line-height: 1.25; margin: 8px 0 4px; font-weight: 600; }
.trimtab h2 { font-size: 18px; margin: 28px 0 8px; font-weight: 600; }
.trimtab p { margin: 4px 0; max-width: 75ch; }
.trimtab .dim { color: #5b6675; }
.trimtab .name { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: .93em; overflow-wrap: anywhere; white-space: pre-wrap; }
.trimtab .kind { display: inline-block; padding: 0 8px; border-radius: 4px; font-size: .87em;
  font-weight: 600; white-space: nowrap; background: #e8ebef; color: #3d4754; }
.trimtab .kind.drift, .trimtab .kind.drifted { background: #fde8c8; color: #7a4300; }
.trimtab .kind.broken_data, .trimtab .kind.broken { background: #fbd9d7; color: #8c1410; }
.trimtab .kind.stable { background: #d8f0df; color: #0d5a2b; }
.trimtab dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 20px;
  margin: 16px 0; }
.trimtab dt { color: #5b6675; }
.trimtab dd { margin: 0; overflow-wrap: anywhere; }
.trimtab table { border-collapse: collapse; width: 100%; font-size: 14px; }
.trimtab th { text-align: left; font-weight: 500; color: #5b6675; vertical-align: bottom;
  font-size: 13px; line-height: 1.3; }
.trimtab th, .trimtab td { padding: 6px 12px 6px 0; border-bottom: 1px solid #e3e7ec; }
.trimtab td { vertical-align: top; }
.trimtab td.wide { min-width: 9em; }
.trimtab .number { text-align: right; }
.trimtab td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.trimtab th:last-child, .trimtab td:last-child { padding-right: 0; }
.trimtab details { margin: 16px 0; }
.trimtab summary { cursor: pointer; color: #1a56a8; }
@media (max-width: 820px) {
  .trimtab { padding: 12px; }
  .trimtab h1 { font-size: 20px; }
  .trimtab dl { display: block; }
  .trimtab dd { margin: 0 0 6px; }
  .trimtab thead { display: none; }
  .trimtab tr { display: block; padding: 8px 0; border-bottom: 1px solid #c9d0d9; }
  .trimtab td, .trimtab td.number { display: flex; gap: 12px; justify-content: space-between;
    text-align: left; white-space: normal; border: 0; padding: 1px 0; }
  .trimtab td::before { content: attr(data-label); color: #5b6675; flex: none; }
  .trimtab td > span { text-align: right; min-width: 0; overflow-wrap: anywhere; }
}
"""
