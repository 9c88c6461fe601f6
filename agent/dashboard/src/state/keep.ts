// What the browser remembers of the reader: language and colours. Where nothing can be kept (a private
// window, a full disk) it holds until the page is closed.

/** Reads what is kept. */
export function kept(name: string): string | null {
  try {
    return localStorage.getItem(`tapline.${name}`);
  } catch {
    return null;
  }
}

/** Keeps a value; null: forgets it. */
export function keep(name: string, value: string | null): void {
  try {
    if (value === null) {
      localStorage.removeItem(`tapline.${name}`);
    } else {
      localStorage.setItem(`tapline.${name}`, value);
    }
  } catch {
    // Then it holds as long as the page is open.
  }
}
