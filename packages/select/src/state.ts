/** The states of a race; race.ts says what they mean. Those behind DECIDED are the end. */
export const RACING = 0;
export const RESTING = 1;
export const DECIDED = 2;
export const CLEANING = 3;
export const GIVEN_UP = 4;
