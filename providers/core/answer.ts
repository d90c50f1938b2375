import { StackyardError } from "./errors.ts";

/** What a question alone would have been answered, or what it would have raised. */
export type Answer<T> = { readonly value: T } | { readonly error: StackyardError };

/** The value, or the error raised. */
export function valueOf<T>(given: Answer<T> | undefined): T {
  if (given === undefined) throw new StackyardError("internal", { message: "a question was not answered" });
  if ("error" in given) throw given.error;
  return given.value;
}

/** What is made of an answer; an error of ours on the way becomes the answer. */
export function answerWith<T, U>(given: Answer<T>, make: (value: T) => U): Answer<U> {
  try {
    return { value: make(valueOf(given)) };
  } catch (error) {
    if (error instanceof StackyardError) return { error };
    throw error;
  }
}
