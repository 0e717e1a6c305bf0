/** The page's only style sheet. Colours come in pairs, for light and for dark. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --ground: light-dark(#fdfdfc, #16181b); --text: light-dark(#1d2125, #e4e6e8); --faint: light-dark(#6a7178, #9299a1);
  --line: light-dark(#e2e4e6, #2c3036); --fault: light-dark(#fdeeea, #3a2420); --recovery: light-dark(#ecf6ee, #1e3024);
  --good: light-dark(#1a7f4b, #5fd39a); --bad: light-dark(#c2321c, #ff8d77);
  --a: light-dark(#2463c4, #7db1ff); --b: light-dark(#1a7f4b, #5fd39a);
  --c: light-dark(#c2321c, #ff8d77); --d: light-dark(#8a4fc7, #c9a2f5);
}
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; } header p { color: var(--faint); margin: .3rem 0 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 500; }
.wide { overflow-x: auto; } .verdict { font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
figure { margin: 1rem 0; } figcaption { color: var(--faint); } svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
.key { margin-left: 1rem; white-space: nowrap; }
.dot { display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .35rem; }
.dot.a { background: var(--a); } .dot.b { background: var(--b); } .dot.c { background: var(--c); }
.dot.d { background: var(--d); }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
polyline.a { stroke: var(--a); } polyline.b { stroke: var(--b); } polyline.c { stroke: var(--c); }
polyline.d { stroke: var(--d); }
rect.lane.a { fill: var(--a); } rect.lane.b { fill: var(--b); } rect.lane.c { fill: var(--c); }
rect.lane.d { fill: var(--d); }
.grid { stroke: var(--line); } .bound { stroke: var(--bad); stroke-dasharray: 5 4; }
.span { fill: none; } .span.fault { fill: var(--fault); } .span.recovery { fill: var(--recovery); }
details { margin-top: 1.4rem; } summary { cursor: pointer; color: var(--faint); }
`;
