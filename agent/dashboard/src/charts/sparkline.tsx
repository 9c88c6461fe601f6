// A line without axes, for beside a number.

const WIDTH = 96;
const HEIGHT = 20;

/** The values of the last seconds, from zero up. */
export function Sparkline({ values }: { values: readonly (number | null)[] }) {
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path d={path(values)} />
    </svg>
  );
}

/** The path of a line: a gap where a value is missing. */
export function path(values: readonly (number | null)[]): string {
  const most = Math.max(...values.map((value) => value ?? 0), Number.MIN_VALUE);
  const step = WIDTH / Math.max(1, values.length - 1);
  let text = "";
  let pen = "M";
  values.forEach((value, index) => {
    if (value === null) {
      pen = "M";
      return;
    }
    const y = HEIGHT - 1 - (value / most) * (HEIGHT - 2);
    text += `${pen}${(index * step).toFixed(1)} ${y.toFixed(1)}`;
    pen = "L";
  });
  return text;
}
