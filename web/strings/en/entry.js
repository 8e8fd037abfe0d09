// @ts-check
/** The front door. */

import { characters, counted, day } from "../en.js";

export const entry = {
  entry: {
    title: "Come in.",
    ways: "How to come in",
    asGuest: "Guest",
    comeAsGuest: "Come in as a guest",
    signIn: "Sign in",
    setUp: "Set up",
    signInTitle: "Good to see you.",
    name: "Name",
    yourName: "Your name",
    callYou: "What should people call you?",
    guestHint: "A guest talks in open rooms, for as long as this browser keeps the key.",
    join: "Join",
    password: "Password",
    show: "Show",
    hide: "Hide",
    /** @param {number} least */
    passwordHint: (least) => `At least ${counted(least, characters)}. A sentence of a few words is best.`,
    noAccount: "No account? Ask a member for an invite link.",
    onlyGuests: "Have an invite link? Open it to make an account.",
    /** @param {string | null} room */
    askedIn: (room) => (room ? ` asked you in to ${room}` : " asked you in"),
    /** @param {string} house @param {number} at */
    linkUntil: (house, at) => `${house}, link works until ${day(at)}`,
    signUpTitle: "Come in.",
    signUp: "Make the account",
    /** @param {string} room */
    signUpTo: (room) => `Join ${room}`,
    haveAccount: "Been here before?",
    spentTitle: "This link does not open the door.",
    spentText: "It was used up, has expired, or was taken back. Ask whoever sent it for a new one, or sign in.",
    looking: "Looking at the link",
    /** @param {string} name */
    signedInAs: (name) => `You are signed in as ${name}.`,
    signedInText: "An invite link makes a new account. To use it, sign out first.",
    joinText: "This link leads to a room. Join it with this account, or sign out to make a new one.",
    goIn: "Go to the rooms",
    setUpTitle: "A new house.",
    setUpText: "It runs on your machine and answers to you. Two fields, and you can write the first message.",
    keyGood: "Setup key taken from the link",
    setUpKey: "Setup key",
    setUpKeyHint: "The server printed it when it started.",
    setUpSpentTitle: "This house has its owner.",
    setUpSpentText: "Setting up is done once. Sign in to go on.",
    setUpStale: "This setup link was used or has expired. Restart the server: it prints a new one.",
    submitSetUp: "Open the house",
    stepsName: "Steps",
    steps: [
      ["The owner", "That is you"],
      ["An invite link", "For the first people"],
      ["The lobby", "Where the first message goes"],
    ],
    waitingTitle: "This house is not set up yet.",
    waitingText: "The server printed a link when it started. Whoever has it becomes the owner.",
    nameMissing: "Write a name first.",
    passwordMissing: "Write the password first.",
  },
};
