/** Every text of the provider's pages, in each language. */
const en = {
  signIn: "Sign in",
  userName: "User name",
  password: "Password",
  toRegistration: "No account yet? Register",
  demoUsers: "Demo users",
  user: "member",
  admin: "moderator",
  register: "Register",
  name: "Name",
  email: "Email",
  newPassword: "Password, at least 12 characters",
  registerAndSignIn: "Register and sign in",
  signOut: "Sign out",
  signOutQuestion: "Do you want to sign out?",
  signOutYes: "Yes, sign me out",
  signOutNo: "No, stay signed in",
  signedOut: "You are signed out",
  signedOutText: "This window can be closed.",
  failed: "That did not work",
  ended: "This sign-in has ended: go back to where you came from, and begin again.",
  onlyGetAndPost: "only GET and POST",
  noSuchUser: "no such user",
  mustWait: "too many wrong passwords: wait half a minute",
  wrong: "user name or password is wrong",
  userWrong: "user name: 3 to 32 small letters, digits and hyphens, a letter first",
  userTaken: "user name: is taken",
  nameEmpty: "name: must not be empty",
  nameLong: "name: at most 80 characters",
  emailWrong: "email: must be an address",
  passwordShort: "password: at least 12 characters",
  passwordLong: "password: at most 128 characters",
  tooMany: "there are too many accounts",
} as const;

export type TextKey = keyof typeof en;
export type Language = "en" | "ja";

const ja: Readonly<Record<TextKey, string>> = {
  signIn: "サインイン",
  userName: "ユーザー名",
  password: "パスワード",
  toRegistration: "アカウントをお持ちでない方はこちら",
  demoUsers: "デモ用ユーザー",
  user: "メンバー",
  admin: "モデレーター",
  register: "アカウント登録",
  name: "名前",
  email: "メールアドレス",
  newPassword: "パスワード（12文字以上）",
  registerAndSignIn: "登録してサインイン",
  signOut: "サインアウト",
  signOutQuestion: "サインアウトしますか。",
  signOutYes: "サインアウトする",
  signOutNo: "サインインしたままにする",
  signedOut: "サインアウトしました",
  signedOutText: "このウィンドウは閉じてかまいません。",
  failed: "うまくいきませんでした",
  ended: "このサインインは終了しています。元のページに戻って、もう一度始めてください。",
  onlyGetAndPost: "GET と POST だけが使えます",
  noSuchUser: "そのユーザーは存在しません",
  mustWait: "パスワードの間違いが続いたため、30秒ほどお待ちください",
  wrong: "ユーザー名かパスワードが違います",
  userWrong: "ユーザー名：英小文字で始まる、英小文字・数字・ハイフンの3〜32文字",
  userTaken: "ユーザー名：すでに使われています",
  nameEmpty: "名前：入力してください",
  nameLong: "名前：80文字以内",
  emailWrong: "メールアドレス：正しい形式で入力してください",
  passwordShort: "パスワード：12文字以上",
  passwordLong: "パスワード：128文字以内",
  tooMany: "これ以上アカウントを作れません",
};

export const dictionaries: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { en, ja };

export function textOf(language: Language, key: TextKey): string {
  return dictionaries[language][key];
}

/** The language of a page: the client's wish (`ui_locales`, by spaces), else the browser's (`Accept-Language`); in the order in which they stand. */
export function languageOf(uiLocales: unknown, acceptLanguage: string | undefined): Language {
  const wishes = [...(typeof uiLocales === "string" ? uiLocales.split(" ") : []), ...(acceptLanguage ?? "").split(",")];
  for (const wish of wishes) {
    const [language = ""] = wish.trim().toLowerCase().split(/[-;]/);
    if (language === "ja" || language === "en") return language;
  }
  return "en";
}
