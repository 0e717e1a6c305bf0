const prefix = "customer-";
const numberDigits = 5;

/** As many as five digits can name. */
export const customersMax = 100_000;

/** 42 → `customer-00042`. All names have the same length. */
export const customerName = (customer: number): string => `${prefix}${String(customer).padStart(numberDigits, "0")}`;

/** Writes the digits of a name over those of another. */
export const customerNameBytes = (customer: number, target: Uint8Array, offset: number): void => {
  for (let place = numberDigits - 1, rest = customer; place >= 0; place--) {
    const tenth = (rest / 10) | 0;
    target[offset + prefix.length + place] = 48 + rest - tenth * 10;
    rest = tenth;
  }
};
