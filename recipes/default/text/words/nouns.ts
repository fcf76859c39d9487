// Words of all nine languages, side by side: the same row is the same thing, so that facts and translations agree.
// word.gender[.oblique form] in languages with genders, word.classifier in Thai.

// en | de | fr | it | pt | es | hi | th | ja
export const animals = `
dog | Hund.m | chien.m | cane.m | cachorro.m | perro.m | कुत्ता.m | สุนัข.ตัว | 犬
cat | Katze.f | chat.m | gatto.m | gato.m | gato.m | बिल्ली.f | แมว.ตัว | 猫
bird | Vogel.m | oiseau.m | uccello.m | pássaro.m | pájaro.m | पक्षी.m | นก.ตัว | 鳥
rabbit | Hase.m.Hasen | lapin.m | coniglio.m | coelho.m | conejo.m | खरगोश.m | กระต่าย.ตัว | うさぎ
mouse | Maus.f | souris.f | topo.m | rato.m | ratón.m | चूहा.m | หนู.ตัว | ねずみ
fox | Fuchs.m | renard.m | volpe.f | raposa.f | zorro.m | लोमड़ी.f | สุนัขจิ้งจอก.ตัว | きつね
bear | Bär.m.Bären | ours.m | orso.m | urso.m | oso.m | भालू.m | หมี.ตัว | くま
horse | Pferd.n | cheval.m | cavallo.m | cavalo.m | caballo.m | घोड़ा.m | ม้า.ตัว | 馬
cow | Kuh.f | vache.f | mucca.f | vaca.f | vaca.f | गाय.f | วัว.ตัว | 牛
duck | Ente.f | canard.m | anatra.f | pato.m | pato.m | बतख.f | เป็ด.ตัว | あひる
frog | Frosch.m | grenouille.f | rana.f | sapo.m | rana.f | मेंढक.m | กบ.ตัว | かえる
turtle | Schildkröte.f | tortue.f | tartaruga.f | tartaruga.f | tortuga.f | कछुआ.m.कछुए | เต่า.ตัว | かめ
lion | Löwe.m.Löwen | lion.m | leone.m | leão.m | león.m | शेर.m | สิงโต.ตัว | ライオン
elephant | Elefant.m.Elefanten | éléphant.m | elefante.m | elefante.m | elefante.m | हाथी.m | ช้าง.ตัว | ぞう
monkey | Affe.m.Affen | singe.m | scimmia.f | macaco.m | mono.m | बंदर.m | ลิง.ตัว | 猿
sheep | Schaf.n | mouton.m | pecora.f | ovelha.f | oveja.f | भेड़.f | แกะ.ตัว | 羊
goat | Ziege.f | chèvre.f | capra.f | cabra.f | cabra.f | बकरी.f | แพะ.ตัว | やぎ
hen | Huhn.n | poule.f | gallina.f | galinha.f | gallina.f | मुर्गी.f | ไก่.ตัว | にわとり
squirrel | Eichhörnchen.n | écureuil.m | scoiattolo.m | esquilo.m | ardilla.f | गिलहरी.f | กระรอก.ตัว | りす
owl | Eule.f | chouette.f | civetta.f | coruja.f | lechuza.f | उल्लू.m | นกฮูก.ตัว | ふくろう
`

export const objects = `
ball | Ball.m | ballon.m | pallone.m | bola.f | pelota.f | गेंद.f | ลูกบอล.ลูก | ボール
book | Buch.n | livre.m | libro.m | livro.m | libro.m | किताब.f | หนังสือ.เล่ม | 本
hat | Hut.m | chapeau.m | cappello.m | chapéu.m | sombrero.m | टोपी.f | หมวก.ใบ | 帽子
bag | Tasche.f | sac.m | borsa.f | bolsa.f | bolsa.f | थैला.m | กระเป๋า.ใบ | かばん
key | Schlüssel.m | clé.f | chiave.f | chave.f | llave.f | चाबी.f | กุญแจ.ดอก | 鍵
umbrella | Regenschirm.m | parapluie.m | ombrello.m | guarda-chuva.m | paraguas.m | छाता.m | ร่ม.คัน | 傘
kite | Drachen.m | cerf-volant.m | aquilone.m | papagaio.m | cometa.f | पतंग.f | ว่าว.ตัว | 凧
doll | Puppe.f | poupée.f | bambola.f | boneca.f | muñeca.f | गुड़िया.f | ตุ๊กตา.ตัว | 人形
pencil | Bleistift.m | crayon.m | lapis.m | lápis.m | lápiz.m | पेंसिल.f | ดินสอ.แท่ง | 鉛筆
cup | Tasse.f | tasse.f | tazza.f | xícara.f | taza.f | प्याला.m | ถ้วย.ใบ | カップ
box | Kiste.f | boîte.f | scatola.f | caixa.f | caja.f | डिब्बा.m | กล่อง.ใบ | 箱
scarf | Schal.m | écharpe.f | sciarpa.f | cachecol.m | bufanda.f | दुपट्टा.m | ผ้าพันคอ.ผืน | マフラー
coat | Mantel.m | manteau.m | cappotto.m | casaco.m | abrigo.m | कोट.m | เสื้อโค้ต.ตัว | コート
shirt | Hemd.n | chemise.f | camicia.f | camisa.f | camisa.f | कमीज़.f | เสื้อ.ตัว | シャツ
lamp | Lampe.f | lampe.f | lampada.f | lâmpada.f | lámpara.f | दीपक.m | โคมไฟ.ดวง | ランプ
flower | Blume.f | fleur.f | fiore.m | flor.f | flor.f | फूल.m | ดอกไม้.ดอก | 花
clock | Uhr.f | horloge.f | orologio.m | relógio.m | reloj.m | घड़ी.f | นาฬิกา.เรือน | 時計
drum | Trommel.f | tambour.m | tamburo.m | tambor.m | tambor.m | ढोल.m | กลอง.ใบ | 太鼓
spoon | Löffel.m | cuillère.f | cucchiaio.m | colher.f | cuchara.f | चम्मच.m | ช้อน.คัน | スプーン
letter | Brief.m | lettre.f | lettera.f | carta.f | carta.f | चिट्ठी.f | จดหมาย.ฉบับ | 手紙
picture | Bild.n | tableau.m | quadro.m | quadro.m | cuadro.m | तस्वीर.f | รูปภาพ.รูป | 絵
blanket | Decke.f | couverture.f | coperta.f | manta.f | manta.f | कंबल.m | ผ้าห่ม.ผืน | 毛布
basket | Korb.m | panier.m | cestino.m | cesto.m | cesta.f | टोकरी.f | ตะกร้า.ใบ | かご
`

/** Things that nobody carries about or drops. */
export const largeObjects = `
bicycle | Fahrrad.n | vélo.m | bicicletta.f | bicicleta.f | bicicleta.f | साइकिल.f | จักรยาน.คัน | 自転車
boat | Boot.n | bateau.m | barca.f | barco.m | barco.m | नाव.f | เรือ.ลำ | 船
chair | Stuhl.m | chaise.f | sedia.f | cadeira.f | silla.f | कुर्सी.f | เก้าอี้.ตัว | 椅子
table | Tisch.m | table.f | tavolo.m | mesa.f | mesa.f | मेज़.f | โต๊ะ.ตัว | 机
car | Auto.n | voiture.f | macchina.f | carro.m | coche.m | गाड़ी.f | รถ.คัน | 車
`

export const foods = `
apple | Apfel.m | pomme.f | mela.f | maçã.f | manzana.f | सेब.m | แอปเปิล.ลูก | りんご
banana | Banane.f | banane.f | banana.f | banana.f | plátano.m | केला.m | กล้วย.ลูก | バナナ
orange | Orange.f | orange.f | arancia.f | laranja.f | naranja.f | संतरा.m | ส้ม.ลูก | オレンジ
pear | Birne.f | poire.f | pera.f | pera.f | pera.f | नाशपाती.f | ลูกแพร์.ลูก | 梨
mango | Mango.f | mangue.f | mango.m | manga.f | mango.m | आम.m | มะม่วง.ลูก | マンゴー
cake | Kuchen.m | gâteau.m | dolce.m | bolo.m | pastel.m | केक.m | เค้ก.ชิ้น | ケーキ
sandwich | Brötchen.n | sandwich.m | panino.m | sanduíche.m | bocadillo.m | सैंडविच.m | แซนด์วิช.ชิ้น | サンドイッチ
egg | Ei.n | œuf.m | uovo.m | ovo.m | huevo.m | अंडा.m | ไข่.ฟอง | 卵
carrot | Karotte.f | carotte.f | carota.f | cenoura.f | zanahoria.f | गाजर.f | แครอท.หัว | にんじん
tomato | Tomate.f | tomate.f | pomodoro.m | tomate.m | tomate.m | टमाटर.m | มะเขือเทศ.ลูก | トマト
potato | Kartoffel.f | pomme de terre.f | patata.f | batata.f | patata.f | आलू.m | มันฝรั่ง.หัว | じゃがいも
cookie | Keks.m | biscuit.m | biscotto.m | biscoito.m | galleta.f | बिस्कुट.m | คุกกี้.ชิ้น | クッキー
melon | Melone.f | melon.m | melone.m | melão.m | melón.m | खरबूजा.m | เมลอน.ลูก | メロン
peach | Pfirsich.m | pêche.f | pesca.f | pêssego.m | melocotón.m | आड़ू.m | ลูกพีช.ลูก | 桃
lemon | Zitrone.f | citron.m | limone.m | limão.m | limón.m | नींबू.m | มะนาว.ลูก | レモン
`

/** What one eats or drinks without an article: rice, bread... In French, Italian with the definite article. */
export const dishes = `
rice | Reis | le riz | il riso | arroz | arroz | चावल | ข้าว | ご飯
bread | Brot | le pain | il pane | pão | pan | रोटी | ขนมปัง | パン
soup | Suppe | la soupe | la zuppa | sopa | sopa | सूप | ซุป | スープ
fish | Fisch | le poisson | il pesce | peixe | pescado | मछली | ปลา | 魚
cheese | Käse | le fromage | il formaggio | queijo | queso | पनीर | ชีส | チーズ
pizza | Pizza | la pizza | la pizza | pizza | pizza | पिज़्ज़ा | พิซซ่า | ピザ
chocolate | Schokolade | le chocolat | il cioccolato | chocolate | chocolate | चॉकलेट | ช็อกโกแลต | チョコレート
salad | Salat | la salade | l'insalata | salada | ensalada | सलाद | สลัด | サラダ
pasta | Nudeln | les pâtes | la pasta | macarrão | pasta | पास्ता | พาสต้า | パスタ
honey | Honig | le miel | il miele | mel | miel | शहद | น้ำผึ้ง | はちみつ
ice cream | Eis | la glace | il gelato | sorvete | helado | आइसक्रीम | ไอศกรีม | アイスクリーム
vegetables | Gemüse | les légumes | la verdura | legumes | verdura | सब्ज़ी | ผัก | 野菜
`

/** Colours: masculine/feminine where they differ; German is the stem. */
export const colours = `
red | rot | rouge | rosso/rossa | vermelho/vermelha | rojo/roja | लाल | แดง | 赤い
blue | blau | bleu/bleue | blu | azul | azul | नीला/नीली | น้ำเงิน | 青い
green | grün | vert/verte | verde | verde | verde | हरा/हरी | เขียว | 緑の
yellow | gelb | jaune | giallo/gialla | amarelo/amarela | amarillo/amarilla | पीला/पीली | เหลือง | 黄色い
white | weiß | blanc/blanche | bianco/bianca | branco/branca | blanco/blanca | सफ़ेद | ขาว | 白い
black | schwarz | noir/noire | nero/nera | preto/preta | negro/negra | काला/काली | ดำ | 黒い
brown | braun | marron | marrone | marrom | marrón | भूरा/भूरी | น้ำตาล | 茶色い
grey | grau | gris/grise | grigio/grigia | cinza | gris | स्लेटी | เทา | 灰色の
`

/** Colours as nouns: "my favourite colour is ...". */
export const colourNames = `
red | Rot | le rouge | il rosso | vermelho | el rojo | लाल | สีแดง | 赤
blue | Blau | le bleu | il blu | azul | el azul | नीला | สีน้ำเงิน | 青
green | Grün | le vert | il verde | verde | el verde | हरा | สีเขียว | 緑
yellow | Gelb | le jaune | il giallo | amarelo | el amarillo | पीला | สีเหลือง | 黄色
white | Weiß | le blanc | il bianco | branco | el blanco | सफ़ेद | สีขาว | 白
black | Schwarz | le noir | il nero | preto | el negro | काला | สีดำ | 黒
brown | Braun | le marron | il marrone | marrom | el marrón | भूरा | สีน้ำตาล | 茶色
grey | Grau | le gris | il grigio | cinza | el gris | स्लेटी | สีเทา | 灰色
`

/** at the place / to the place */
export const places = `
in the park / to the park | im Park / in den Park | au parc / au parc | al parco / al parco | no parque / ao parque | en el parque / al parque | पार्क में / पार्क | ที่สวนสาธารณะ / ไปสวนสาธารณะ | 公園で / 公園へ
at the market / to the market | auf dem Markt / auf den Markt | au marché / au marché | al mercato / al mercato | no mercado / ao mercado | en el mercado / al mercado | बाज़ार में / बाज़ार | ที่ตลาด / ไปตลาด | 市場で / 市場へ
in the forest / to the forest | im Wald / in den Wald | dans la forêt / dans la forêt | nel bosco / nel bosco | na floresta / à floresta | en el bosque / al bosque | जंगल में / जंगल | ในป่า / ไปป่า | 森で / 森へ
at school / to school | in der Schule / in die Schule | à l'école / à l'école | a scuola / a scuola | na escola / à escola | en la escuela / a la escuela | स्कूल में / स्कूल | ที่โรงเรียน / ไปโรงเรียน | 学校で / 学校へ
in the garden / to the garden | im Garten / in den Garten | dans le jardin / dans le jardin | in giardino / in giardino | no jardim / ao jardim | en el jardín / al jardín | बगीचे में / बगीचे | ในสวน / ไปที่สวน | 庭で / 庭へ
at the beach / to the beach | am Strand / an den Strand | à la plage / à la plage | in spiaggia / in spiaggia | na praia / à praia | en la playa / a la playa | समुद्र तट पर / समुद्र तट | ที่ชายหาด / ไปชายหาด | 海辺で / 海辺へ
by the river / to the river | am Fluss / an den Fluss | au bord de la rivière / au bord de la rivière | in riva al fiume / al fiume | à beira do rio / ao rio | junto al río / al río | नदी के किनारे / नदी के किनारे | ที่ริมแม่น้ำ / ไปริมแม่น้ำ | 川のそばで / 川へ
in the library / to the library | in der Bibliothek / in die Bibliothek | à la bibliothèque / à la bibliothèque | in biblioteca / in biblioteca | na biblioteca / à biblioteca | en la biblioteca / a la biblioteca | पुस्तकालय में / पुस्तकालय | ที่ห้องสมุด / ไปห้องสมุด | 図書館で / 図書館へ
at the zoo / to the zoo | im Zoo / in den Zoo | au zoo / au zoo | allo zoo / allo zoo | no zoológico / ao zoológico | en el zoológico / al zoológico | चिड़ियाघर में / चिड़ियाघर | ที่สวนสัตว์ / ไปสวนสัตว์ | 動物園で / 動物園へ
by the lake / to the lake | am See / an den See | au bord du lac / au bord du lac | in riva al lago / al lago | à beira do lago / ao lago | junto al lago / al lago | झील के किनारे / झील के किनारे | ที่ริมทะเลสาบ / ไปริมทะเลสาบ | 湖のそばで / 湖へ
on the farm / to the farm | auf dem Bauernhof / auf den Bauernhof | à la ferme / à la ferme | alla fattoria / alla fattoria | na fazenda / à fazenda | en la granja / a la granja | खेत में / खेत | ที่ฟาร์ม / ไปฟาร์ม | 農場で / 農場へ
in the village / to the village | im Dorf / ins Dorf | au village / au village | al villaggio / al villaggio | na aldeia / à aldeia | en el pueblo / al pueblo | गाँव में / गाँव | ที่หมู่บ้าน / ไปหมู่บ้าน | 村で / 村へ
at the station / to the station | am Bahnhof / zum Bahnhof | à la gare / à la gare | alla stazione / alla stazione | na estação / à estação | en la estación / a la estación | स्टेशन पर / स्टेशन | ที่สถานี / ไปสถานี | 駅で / 駅へ
in the city / to the city | in der Stadt / in die Stadt | en ville / en ville | in città / in città | na cidade / à cidade | en la ciudad / a la ciudad | शहर में / शहर | ในเมือง / เข้าเมือง | 町で / 町へ
at the museum / to the museum | im Museum / ins Museum | au musée / au musée | al museo / al museo | no museu / ao museu | en el museo / al museo | संग्रहालय में / संग्रहालय | ที่พิพิธภัณฑ์ / ไปพิพิธภัณฑ์ | 美術館で / 美術館へ
`

/** Trades, masculine/feminine; in Romance languages and Hindi without article. */
export const jobs = `
teacher | Lehrer/Lehrerin | professeur/professeure | insegnante/insegnante | professor/professora | profesor/profesora | शिक्षक/शिक्षिका | ครู | 教師
doctor | Arzt/Ärztin | médecin/médecin | medico/medica | médico/médica | médico/médica | डॉक्टर/डॉक्टर | หมอ | 医者
baker | Bäcker/Bäckerin | boulanger/boulangère | panettiere/panettiera | padeiro/padeira | panadero/panadera | बेकर/बेकर | คนทำขนมปัง | パン屋
cook | Koch/Köchin | cuisinier/cuisinière | cuoco/cuoca | cozinheiro/cozinheira | cocinero/cocinera | रसोइया/रसोइया | พ่อครัว/แม่ครัว | 料理人
farmer | Bauer/Bäuerin | agriculteur/agricultrice | agricoltore/agricoltrice | agricultor/agricultora | agricultor/agricultora | किसान/किसान | ชาวนา | 農家
painter | Maler/Malerin | peintre/peintre | pittore/pittrice | pintor/pintora | pintor/pintora | चित्रकार/चित्रकार | จิตรกร | 画家
singer | Sänger/Sängerin | chanteur/chanteuse | cantante/cantante | cantor/cantora | cantante/cantante | गायक/गायिका | นักร้อง | 歌手
nurse | Krankenpfleger/Krankenpflegerin | infirmier/infirmière | infermiere/infermiera | enfermeiro/enfermeira | enfermero/enfermera | नर्स/नर्स | พยาบาล | 看護師
gardener | Gärtner/Gärtnerin | jardinier/jardinière | giardiniere/giardiniera | jardineiro/jardineira | jardinero/jardinera | माली/माली | คนสวน | 庭師
pilot | Pilot/Pilotin | pilote/pilote | pilota/pilota | piloto/piloto | piloto/piloto | पायलट/पायलट | นักบิน | パイロット
driver | Fahrer/Fahrerin | chauffeur/chauffeuse | autista/autista | motorista/motorista | conductor/conductora | ड्राइवर/ड्राइवर | คนขับรถ | 運転手
writer | Schriftsteller/Schriftstellerin | écrivain/écrivaine | scrittore/scrittrice | escritor/escritora | escritor/escritora | लेखक/लेखिका | นักเขียน | 作家
`
