// A time of day with its milliseconds, which a narrow window leaves out.

import { whenever } from "../format";

/** When something was; the day stands where it is not today. */
export function When({ time }: { time: string }) {
  const [seconds = "", milliseconds] = whenever(time, Date.now() / 1000, true).split(".");
  return (
    <time dateTime={time}>
      {seconds}
      {milliseconds !== undefined && <span class="fine">.{milliseconds}</span>}
    </time>
  );
}
