"""The page's style sheet; light or dark as the reader's system is."""

STYLE = """
:root { color-scheme: light dark; --text: #1d1d1f; --page: #fdfcfa; --soft: #6b6560;
  --line: #d9d3cc; --bar: #a8683c; --warn: #fff1dc; }
@media (prefers-color-scheme: dark) { :root { --text: #eae6e1; --page: #1b1917; --soft: #a39b93;
  --line: #45403b; --bar: #d79a6b; --warn: #45351d; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 76rem; margin: 0 auto; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; border-bottom: 1px solid var(--line);
  margin-top: 2.2rem; padding-bottom: .2rem; }
h3 { font-size: .95rem; margin: .9rem 0 .3rem; font-weight: 600; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
th, td { padding: .2rem .9rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child { font-weight: normal; }
.number { text-align: right; }
thead th { color: var(--soft); font-weight: normal; font-size: .85rem; }
.warning { background: var(--warn); padding: .5rem .8rem; border-radius: .3rem; }
.row, .blocks { display: flex; flex-wrap: wrap; gap: .6rem 1.2rem; }
.row { gap: .6rem; }
figure { margin: 0; width: 176px; } figure:has(svg) { width: 200px; }
figure img { display: block; max-width: 100%; border-radius: .2rem; }
figcaption { font-size: .78rem; color: var(--soft); }
svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
svg text { fill: var(--soft); font: 10px system-ui, sans-serif; }
summary { font-weight: 600; cursor: pointer; } li { font-size: .88rem; }
footer { color: var(--soft); margin-top: 3rem; font-size: .85rem; }
"""
