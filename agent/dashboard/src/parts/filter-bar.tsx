// The filters in force as chips, and a way to add one.

import { useRef, useState } from "preact/hooks";

import { visible } from "../format";
import { CHOICES, CLOSED, FIELDS, type Field, asFilter } from "../state/fields";
import { useShell } from "../state/shell";
import { t } from "../words";

/** Chips, and a form; `known`: the filters that this view can use. */
export function FilterBar({ known }: { known: readonly Field[] }) {
  const { place, filter, go } = useShell();
  const inForce = FIELDS.filter((field) => place.filters[field] !== undefined);
  return (
    <div class="filters" role="group" aria-label={t("filters")}>
      {inForce.map((field) => (
        <span key={field} class={`chip${known.includes(field) ? "" : " idle"}`}>
          <span class="name">{t(`field_${field}`)}</span>{" "}
          <bdi class="what">{visible(place.filters[field] ?? "")}</bdi>
          {known.includes(field) ? null : <span class="hint"> {t("filter_idle")}</span>}
          <button
            type="button"
            aria-label={t("remove_filter", { field: t(`field_${field}`) })}
            onClick={() => filter(field, null)}
          >
            ×
          </button>
        </span>
      ))}
      {inForce.length > 1 && (
        <button type="button" class="quiet" onClick={() => go({ ...place, filters: {}, after: null })}>
          {t("remove_all")}
        </button>
      )}
      <AddFilter known={known} />
    </div>
  );
}

function AddFilter({ known }: { known: readonly Field[] }) {
  const { filter } = useShell();
  const [field, setField] = useState<Field>(known[0] ?? "ip");
  const [value, setValue] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const chosen = known.includes(field) ? field : (known[0] ?? "ip");
  const choices = CHOICES[chosen];
  const closed = CLOSED.includes(chosen) && choices !== undefined;
  const add = (wanted: string) => {
    const text = asFilter(chosen, wanted.trim());
    if (text !== null && text !== "") {
      filter(chosen, text);
      setValue("");
    }
  };
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        add(value);
      }}
    >
      <select
        aria-label={t("filter_field")}
        value={chosen}
        onChange={(event) => {
          setField(event.currentTarget.value as Field);
          setValue("");
          input.current?.focus();
        }}
      >
        {known.map((name) => (
          <option key={name} value={name}>
            {t(`field_${name}`)}
          </option>
        ))}
      </select>
      {closed ? (
        <select
          aria-label={t("filter_value")}
          value=""
          onChange={(event) => add(event.currentTarget.value)}
        >
          <option value="">{t("choose")}</option>
          {choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <>
          <input
            ref={input}
            id="add-filter"
            type="text"
            autocomplete="off"
            spellcheck={false}
            list={choices === undefined ? undefined : "filter-choices"}
            aria-label={t("filter_value")}
            placeholder={t(`example_${chosen}`)}
            value={value}
            onInput={(event) => setValue(event.currentTarget.value)}
          />
          {choices !== undefined && (
            <datalist id="filter-choices">
              {choices.map((choice) => (
                <option key={choice} value={choice} />
              ))}
            </datalist>
          )}
          <button type="submit">{t("add_filter")}</button>
        </>
      )}
    </form>
  );
}
