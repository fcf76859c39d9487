// Whole sentences side by side: what can be translated, misspelled, shortened. s is the subject; further slots: o thing
// with colour, e food, p place, g dish.

// en | de | fr | it | pt | es | hi | th | ja
export const people = `
boy | Junge.m.Jungen | garçon.m | ragazzo.m | menino.m | niño.m | लड़का.m | เด็กผู้ชาย.คน | 男の子
girl | Mädchen.n | fille.f | ragazza.f | menina.f | niña.f | लड़की.f | เด็กผู้หญิง.คน | 女の子
man | Mann.m | homme.m | uomo.m | homem.m | hombre.m | आदमी.m | ผู้ชาย.คน | 男の人
woman | Frau.f | femme.f | donna.f | mulher.f | mujer.f | औरत.f | ผู้หญิง.คน | 女の人
mother | Mutter.f | mère.f | madre.f | mãe.f | madre.f | माँ.f | แม่.คน | お母さん
father | Vater.m | père.m | padre.m | pai.m | padre.m | पिता.m.पिता | พ่อ.คน | お父さん
grandmother | Großmutter.f | grand-mère.f | nonna.f | avó.f | abuela.f | दादी.f | คุณยาย.คน | おばあさん
grandfather | Großvater.m | grand-père.m | nonno.m | avô.m | abuelo.m | दादा.m.दादा | คุณตา.คน | おじいさん
teacher | Lehrer.m | professeur.m | maestro.m | professor.m | maestro.m | शिक्षक.m | คุณครู.คน | 先生
child | Kind.n | enfant.m | bambino.m | criança.f | niño.m | बच्चा.m | เด็ก.คน | 子ども
neighbour | Nachbar.m.Nachbarn | voisin.m | vicino.m | vizinho.m | vecino.m | पड़ोसी.m | เพื่อนบ้าน.คน | 隣の人
`

export const sentences = `
{s.the} is sleeping | {s.the} schläft | {s.the} dort | {s.the} dorme | {s.the} está dormindo | {s.the} duerme | {s} सो {s:रहा|रही} है | {s}กำลังนอนหลับ | {s}は寝ています
{s.the} is running {p.in} | {s.the} läuft {p.in} | {s.the} court {p.in} | {s.the} corre {p.in} | {s.the} está correndo {p.in} | {s.the} corre {p.in} | {s} {p.in} दौड़ {s:रहा|रही} है | {s}กำลังวิ่ง{p.in} | {s}は{p.in}走っています
{s.the} is playing {p.in} | {s.the} spielt {p.in} | {s.the} joue {p.in} | {s.the} gioca {p.in} | {s.the} está brincando {p.in} | {s.the} juega {p.in} | {s} {p.in} खेल {s:रहा|रही} है | {s}กำลังเล่น{p.in} | {s}は{p.in}遊んでいます
{s.the} is waiting {p.in} | {s.the} wartet {p.in} | {s.the} attend {p.in} | {s.the} aspetta {p.in} | {s.the} está esperando {p.in} | {s.the} espera {p.in} | {s} {p.in} इंतज़ार कर {s:रहा|रही} है | {s}กำลังรอ{p.in} | {s}は{p.in}待っています
{s.the} is going {p.to} | {s.the} geht {p.to} | {s.the} va {p.to} | {s.the} va {p.to} | {s.the} está indo {p.to} | {s.the} va {p.to} | {s} {p.to} जा {s:रहा|रही} है | {s}กำลัง{p.to} | {s}は{p.to}行きます
{s.the} is eating {e.a} | {s.the} isst {e.aA} | {s.the} mange {e.a} | {s.the} mangia {e.a} | {s.the} está comendo {e.a} | {s.the} come {e.a} | {s} {e.a} खा {s:रहा|रही} है | {s}กำลังกิน{e} | {s}は{e}を食べています
{s.the} wants {e.a} | {s.the} möchte {e.aA} | {s.the} veut {e.a} | {s.the} vuole {e.a} | {s.the} quer {e.a} | {s.the} quiere {e.a} | {s.o} को {e.a} चाहिए | {s}อยากได้{e} | {s}は{e}が欲しいです
{s.the} is drinking water | {s.the} trinkt Wasser | {s.the} boit de l'eau | {s.the} beve acqua | {s.the} está bebendo água | {s.the} bebe agua | {s} पानी पी {s:रहा|रही} है | {s}กำลังดื่มน้ำ | {s}は水を飲んでいます
{s.the} sees {o.a} | {s.the} sieht {o.aA} | {s.the} voit {o.a} | {s.the} vede {o.a} | {s.the} vê {o.a} | {s.the} ve {o.a} | {s} {o.a} देख {s:रहा|रही} है | {s}เห็น{o} | {s}は{o}を見ています
{s.the} has {o.a} | {s.the} hat {o.aA} | {s.the} a {o.a} | {s.the} ha {o.a} | {s.the} tem {o.a} | {s.the} tiene {o.a} | {s.o} के पास {o.a} है | {s}มี{o} | {s}は{o}を持っています
{s.the} is looking for {o.a} | {s.the} sucht {o.aA} | {s.the} cherche {o.a} | {s.the} cerca {o.a} | {s.the} procura {o.a} | {s.the} busca {o.a} | {s} {o.a} ढूँढ {s:रहा|रही} है | {s}กำลังหา{o} | {s}は{o}を探しています
{s.the} is happy | {s.the} ist glücklich | {s.the} est {s:heureux|heureuse} | {s.the} è felice | {s.the} está feliz | {s.the} está feliz | {s} खुश है | {s}มีความสุข | {s}は嬉しいです
{s.the} is tired | {s.the} ist müde | {s.the} est {s:fatigué|fatiguée} | {s.the} è {s:stanco|stanca} | {s.the} está {s:cansado|cansada} | {s.the} está {s:cansado|cansada} | {s} {s:थका हुआ|थकी हुई} है | {s}เหนื่อย | {s}は疲れています
{s.the} is hungry | {s.the} hat Hunger | {s.the} a faim | {s.the} ha fame | {s.the} está com fome | {s.the} tiene hambre | {s.o} को भूख लगी है | {s}หิว | {s}はお腹がすいています
{s.the} is thirsty | {s.the} hat Durst | {s.the} a soif | {s.the} ha sete | {s.the} está com sede | {s.the} tiene sed | {s.o} को प्यास लगी है | {s}กระหายน้ำ | {s}は喉が渇いています
{s.the} is cold | {s.the} friert | {s.the} a froid | {s.the} ha freddo | {s.the} está com frio | {s.the} tiene frío | {s.o} को ठंड लग रही है | {s}หนาว | {s}は寒がっています
{s.the} is coming home | {s.the} kommt nach Hause | {s.the} rentre à la maison | {s.the} torna a casa | {s.the} volta para casa | {s.the} vuelve a casa | {s} घर आ {s:रहा|रही} है | {s}กำลังกลับบ้าน | {s}は家に帰ります
{s.the} is here today | {s.the} ist heute hier | {s.the} est ici aujourd'hui | {s.the} è qui oggi | {s.the} está aqui hoje | {s.the} está aquí hoy | {s} आज यहाँ है | วันนี้{s}อยู่ที่นี่ | {s}は今日ここにいます
`

export const phrases = `
Good morning! | Guten Morgen! | Bonjour ! | Buongiorno! | Bom dia! | ¡Buenos días! | सुप्रभात! | อรุณสวัสดิ์ | おはようございます。
Good evening! | Guten Abend! | Bonsoir ! | Buonasera! | Boa noite! | ¡Buenas tardes! | शुभ संध्या! | สวัสดีตอนเย็น | こんばんは。
Hello! | Hallo! | Salut ! | Ciao! | Olá! | ¡Hola! | नमस्ते! | สวัสดี | こんにちは。
Thank you. | Danke. | Merci. | Grazie. | Obrigado. | Gracias. | धन्यवाद। | ขอบคุณ | ありがとうございます。
Thank you very much. | Vielen Dank. | Merci beaucoup. | Grazie mille. | Muito obrigado. | Muchas gracias. | बहुत धन्यवाद। | ขอบคุณมาก | どうもありがとうございます。
Goodbye! | Auf Wiedersehen! | Au revoir ! | Arrivederci! | Adeus! | ¡Adiós! | अलविदा! | ลาก่อน | さようなら。
How are you? | Wie geht es dir? | Comment vas-tu ? | Come stai? | Como você está? | ¿Cómo estás? | आप कैसे हैं? | คุณสบายดีไหม | お元気ですか？
I am fine. | Mir geht es gut. | Je vais bien. | Sto bene. | Estou bem. | Estoy bien. | मैं ठीक हूँ। | ฉันสบายดี | 元気です。
What is your name? | Wie heißt du? | Comment t'appelles-tu ? | Come ti chiami? | Qual é o seu nome? | ¿Cómo te llamas? | आपका नाम क्या है? | คุณชื่ออะไร | お名前は何ですか？
I love you. | Ich liebe dich. | Je t'aime. | Ti amo. | Eu te amo. | Te quiero. | मैं तुमसे प्यार करता हूँ। | ฉันรักคุณ | 愛しています。
I am hungry. | Ich habe Hunger. | J'ai faim. | Ho fame. | Estou com fome. | Tengo hambre. | मुझे भूख लगी है। | ฉันหิว | お腹がすきました。
I am thirsty. | Ich habe Durst. | J'ai soif. | Ho sete. | Estou com sede. | Tengo sed. | मुझे प्यास लगी है। | ฉันกระหายน้ำ | 喉が渇きました。
I am tired. | Ich bin müde. | Je suis fatigué. | Sono stanco. | Estou cansado. | Estoy cansado. | मैं थक गया हूँ। | ฉันเหนื่อย | 疲れました。
Where is the station? | Wo ist der Bahnhof? | Où est la gare ? | Dov'è la stazione? | Onde fica a estação? | ¿Dónde está la estación? | स्टेशन कहाँ है? | สถานีอยู่ที่ไหน | 駅はどこですか？
Where is the toilet? | Wo ist die Toilette? | Où sont les toilettes ? | Dov'è il bagno? | Onde fica o banheiro? | ¿Dónde está el baño? | शौचालय कहाँ है? | ห้องน้ำอยู่ที่ไหน | トイレはどこですか？
How much does it cost? | Was kostet das? | Combien ça coûte ? | Quanto costa? | Quanto custa? | ¿Cuánto cuesta? | यह कितने का है? | ราคาเท่าไร | いくらですか？
What time is it? | Wie spät ist es? | Quelle heure est-il ? | Che ore sono? | Que horas são? | ¿Qué hora es? | कितने बजे हैं? | กี่โมงแล้ว | 何時ですか？
I do not understand. | Ich verstehe nicht. | Je ne comprends pas. | Non capisco. | Não entendo. | No entiendo. | मैं नहीं समझा। | ฉันไม่เข้าใจ | わかりません。
Please help me. | Bitte hilf mir. | Aide-moi, s'il te plaît. | Per favore, aiutami. | Por favor, me ajude. | Por favor, ayúdame. | कृपया मेरी मदद कीजिए। | ช่วยฉันด้วย | 助けてください。
I would like a coffee. | Ich möchte einen Kaffee. | Je voudrais un café. | Vorrei un caffè. | Eu gostaria de um café. | Quisiera un café. | मुझे एक कॉफ़ी चाहिए। | ฉันอยากได้กาแฟ | コーヒーをください。
The weather is nice today. | Das Wetter ist heute schön. | Il fait beau aujourd'hui. | Oggi il tempo è bello. | Hoje o tempo está bom. | Hoy hace buen tiempo. | आज मौसम अच्छा है। | วันนี้อากาศดี | 今日は天気がいいです。
It is raining. | Es regnet. | Il pleut. | Piove. | Está chovendo. | Está lloviendo. | बारिश हो रही है। | ฝนกำลังตก | 雨が降っています。
It is cold. | Es ist kalt. | Il fait froid. | Fa freddo. | Está frio. | Hace frío. | ठंड है। | อากาศหนาว | 寒いです。
See you tomorrow! | Bis morgen! | À demain ! | A domani! | Até amanhã! | ¡Hasta mañana! | कल मिलेंगे! | เจอกันพรุ่งนี้ | また明日。
Good night! | Gute Nacht! | Bonne nuit ! | Buonanotte! | Boa noite! | ¡Buenas noches! | शुभ रात्रि! | ราตรีสวัสดิ์ | おやすみなさい。
Happy birthday! | Alles Gute zum Geburtstag! | Joyeux anniversaire ! | Buon compleanno! | Feliz aniversário! | ¡Feliz cumpleaños! | जन्मदिन मुबारक! | สุขสันต์วันเกิด | お誕生日おめでとうございます。
I am sorry. | Es tut mir leid. | Je suis désolé. | Mi dispiace. | Sinto muito. | Lo siento. | मुझे माफ़ कीजिए। | ฉันขอโทษ | ごめんなさい。
I live in a small house. | Ich wohne in einem kleinen Haus. | J'habite dans une petite maison. | Abito in una piccola casa. | Moro em uma casa pequena. | Vivo en una casa pequeña. | मैं एक छोटे घर में रहता हूँ। | ฉันอยู่ในบ้านหลังเล็ก | 小さな家に住んでいます。
I like to read books. | Ich lese gern Bücher. | J'aime lire des livres. | Mi piace leggere libri. | Gosto de ler livros. | Me gusta leer libros. | मुझे किताबें पढ़ना पसंद है। | ฉันชอบอ่านหนังสือ | 本を読むのが好きです。
My house is big. | Mein Haus ist groß. | Ma maison est grande. | La mia casa è grande. | Minha casa é grande. | Mi casa es grande. | मेरा घर बड़ा है। | บ้านของฉันใหญ่ | 私の家は大きいです。
We are friends. | Wir sind Freunde. | Nous sommes amis. | Siamo amici. | Somos amigos. | Somos amigos. | हम दोस्त हैं। | เราเป็นเพื่อนกัน | 私たちは友達です。
The food is good. | Das Essen ist gut. | La nourriture est bonne. | Il cibo è buono. | A comida é boa. | La comida es buena. | खाना अच्छा है। | อาหารอร่อย | 料理はおいしいです。
`
