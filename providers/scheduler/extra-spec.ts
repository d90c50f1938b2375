import { StackyardError } from "../core/errors.ts";
import { parseFloatText } from "./number-text.ts";

type NumberComparison = (value: number, operand: number) => boolean;
type TextComparison = (value: string, operand: string) => boolean;

const numberOperators: Readonly<Record<string, NumberComparison>> = {
  "=": (value, operand) => value >= operand,
  "==": (value, operand) => value === operand,
  "!=": (value, operand) => value !== operand,
  ">=": (value, operand) => value >= operand,
  "<=": (value, operand) => value <= operand,
};

const textOperators: Readonly<Record<string, TextComparison>> = {
  "s==": (value, operand) => value === operand,
  "s!=": (value, operand) => value !== operand,
  "s<": (value, operand) => value < operand,
  "s<=": (value, operand) => value <= operand,
  "s>": (value, operand) => value > operand,
  "s>=": (value, operand) => value >= operand,
  "<in>": (value, operand) => value.includes(operand),
};

/**
 * Compiles the requirement of an extra spec: an operator and operands, or a plain value that must be equal
 * (nova: scheduler/filters/extra_specs_ops.py). `=` means at least; `<in>` and `<all-in>` look for parts of the text;
 * words after the operand are ignored. An operator without operand matches nothing. A host's value that is no number
 * matches no numeric operator, where Nova would fail the request; an operand that is none raises `invalid-input` at the first test.
 */
export function compileRequirement(requirement: string, field: string): (value: string) => boolean {
  const [operator, ...words] = requirement.split(/\s+/).filter((word) => word !== "");
  if (operator === "<or>") {
    const alternatives = words.filter((_word, index) => index % 2 === 0);
    return (value) => alternatives.includes(value);
  }
  if (operator === "<all-in>")
    return (value) => words.length > 0 && words.every((word) => value.includes(word));
  const compareText = lookUp(textOperators, operator);
  const compareNumber = lookUp(numberOperators, operator);
  const [operand] = words;
  if (compareText === undefined && compareNumber === undefined) return (value) => value === requirement;
  if (operand === undefined) return () => false;
  if (compareText !== undefined) return (value) => compareText(value, operand);
  const wanted = parseFloatText(operand);
  if (wanted === undefined) {
    return () => {
      throw new StackyardError("invalid-input", {
        message: `the requirement compares numbers, but "${operand}" is none`,
        field,
        value: requirement,
        remedy: "Compare with a number, or use a text operator such as s==.",
      });
    };
  }
  return (value) => {
    const number = parseFloatText(value);
    return number !== undefined && compareNumber !== undefined && compareNumber(number, wanted);
  };
}

function lookUp<Value>(table: Readonly<Record<string, Value>>, key: string | undefined): Value | undefined {
  return key !== undefined && Object.hasOwn(table, key) ? table[key] : undefined;
}
